// Kind caddy: a reverse_proxy handler of Caddy, over its admin API.
#include <fmt/format.h>

#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table{
      "caddy_node",
      "One Caddy that balances",
      {node_name_key(),
       also({"admin", "api"}, key("url", text(Format::http_url), "http://127.0.0.1:2019",
                                  "Its admin API, as seen from `host`.")),
       key("host", text(Format::host_name), "",
           "curl runs there, over its ssh connection; default: on this machine.")},
      "",
      {},
      {}};
  return table;
}

std::vector<Key> keys() {
  return {
      key("timeout", duration(), "2s", "For one call of the admin API; at most 2.5s."),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"handler"}, key("id", text(Format::name), "",
                                       "The \"@id\" of the reverse_proxy handler."))),
          also({"upstream"}, key("dial", text(Format::text, instance_places()), "{address}:{port}",
                                 "The instance's `dial` there, as it is written."))};
}

void decode_node(const Reader& reader, LbNode& made) {
  made.url = reader.text("url");
  while (made.url.ends_with('/')) made.url.pop_back();
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  CaddyLb options;
  options.timeout_ms = reader.duration("timeout");
  lb.options = options;
  decode_nodes(context, reader, node_table(), lb, decode_node);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  constexpr DurationMs kMinMs = 100, kMaxMs = 2'500;  // the engine waits 3 s for a reading
  validate_nodes(context, lb);
  const auto* options = std::get_if<CaddyLb>(&lb.options);
  if (options == nullptr || (options->timeout_ms >= kMinMs && options->timeout_ms <= kMaxMs))
    return;
  context.error("HL0108", context.place({"load_balancers", lb.name, "timeout"}),
                fmt::format("`timeout` of `{}` wants 100ms to 2.5s", lb.name), "out of range");
}

}  // namespace

LbKindEntry caddy_entry() {
  return {LbKind::caddy, "caddy", keys, pool_keys, "id", "dial", false, true, decode, validate};
}

}  // namespace hitless::fleet
