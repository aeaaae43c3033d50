// Kind nginx_plus: an upstream of NGINX Plus, over its REST API.
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table = http_node_table("nginx_plus_node", "One NGINX Plus that balances",
                                             "http://127.0.0.1:8080/api/9",
                                             "Its API with the version, as seen from `host`.");
  return table;
}

std::vector<Key> keys() {
  return {
      key("user", text(Format::visible), "",
          "For basic authentication of the API; default: it asks for none."),
      key("password", text(Format::secret), "", "Of that user."), http_timeout_key(),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {
      needed(also({"pool", "backend"}, key("upstream", text(Format::name), "",
                                           "Name of the upstream block, which needs a `zone`."))),
      also({"member"}, key("server", text(Format::text, instance_places()), "{address}:{port}",
                           "The instance's `server` there, as the API shows it."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  NginxPlusLb options;
  options.user = reader.text("user");
  options.password = reader.secret("password");
  options.timeout_ms = reader.duration("timeout");
  lb.options = std::move(options);
  decode_http_nodes(context, reader, node_table(), lb);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  if (const auto* options = std::get_if<NginxPlusLb>(&lb.options))
    validate_http_timeout(context, lb, options->timeout_ms);
}

}  // namespace

LbKindEntry nginx_plus_entry() {
  return {LbKind::nginx_plus, "nginx_plus", keys, pool_keys, "upstream",
          "server",           false,        true, decode,    validate};
}

}  // namespace hitless::fleet
