// Kind caddy: a reverse_proxy handler of Caddy, over its admin API.
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table =
      http_node_table("caddy_node", "One Caddy that balances", "http://127.0.0.1:2019",
                      "Its admin API, as seen from `host`.");
  return table;
}

std::vector<Key> keys() {
  return {http_timeout_key(), needed(key("nodes", list(object(node_table()), 1, 64), "",
                                         "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"handler"}, key("id", text(Format::name), "",
                                       "The \"@id\" of the reverse_proxy handler."))),
          also({"upstream"}, key("dial", text(Format::text, instance_places()), "{address}:{port}",
                                 "The instance's `dial` there, as it is written."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  CaddyLb options;
  options.timeout_ms = reader.duration("timeout");
  lb.options = options;
  decode_http_nodes(context, reader, node_table(), lb);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  if (const auto* options = std::get_if<CaddyLb>(&lb.options))
    validate_http_timeout(context, lb, options->timeout_ms);
}

}  // namespace

LbKindEntry caddy_entry() {
  return {LbKind::caddy, "caddy", keys, pool_keys, "id", "dial", false, true, decode, validate};
}

}  // namespace hitless::fleet
