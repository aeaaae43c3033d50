// Kind traefik: a service of Traefik's file provider.
#include <fmt/format.h>

#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table =
      http_node_table("traefik_node", "One Traefik that balances", "http://127.0.0.1:8080",
                      "Its API, as seen from `host`.");
  return table;
}

std::vector<Key> keys() {
  return {
      needed(key("file", text(Format::remote_path), "",
                 "The YAML file with the service's servers; hitless edits it, in place of you.")),
      http_timeout_key(),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"pool", "backend"},
                      key("service", text(Format::name), "", "The service there, without @file."))),
          also({"member"},
               key("server", text(Format::text, instance_places()), "http://{address}:{port}",
                   "The instance's `url` there, as it is written."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  TraefikLb options;
  options.file = reader.text("file");
  options.timeout_ms = reader.duration("timeout");
  lb.options = std::move(options);
  decode_http_nodes(context, reader, node_table(), lb);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  if (const auto* made = std::get_if<TraefikLb>(&lb.options);
      made != nullptr && !made->file.empty() && !made->file.ends_with(".yml") &&
      !made->file.ends_with(".yaml"))
    context.error("HL0232", context.place({"load_balancers", lb.name, "file"}),
                  fmt::format("`file` of `{}` wants a .yml or .yaml file", lb.name),
                  "TOML is not edited");
  if (const auto* options = std::get_if<TraefikLb>(&lb.options))
    validate_http_timeout(context, lb, options->timeout_ms);
}

}  // namespace

LbKindEntry traefik_entry() {
  return {LbKind::traefik, "traefik", keys, pool_keys, "service",
          "server",        false,     true, decode,    validate};
}

}  // namespace hitless::fleet
