// Kind envoy: a cluster of Envoy whose endpoints come from a file.
#include <fmt/format.h>

#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

const Table& node_table() {
  static const Table table =
      http_node_table("envoy_node", "One Envoy that balances", "http://127.0.0.1:9901",
                      "Its admin interface, as seen from `host`.");
  return table;
}

std::vector<Key> keys() {
  return {
      needed(
          also({"file", "eds"},
               key("endpoints", text(Format::remote_path), "",
                   "The JSON file that its eds_config names; hitless edits it, in place of you."))),
      key("panic_threshold", text(Format::percent), "50%",
          "healthy_panic_threshold of its clusters: with fewer healthy endpoints it sends to all."),
      http_timeout_key(),
      needed(key("nodes", list(object(node_table()), 1, 64), "", "Every node; all must agree."))};
}

std::vector<Key> pool_keys() {
  return {needed(also({"pool", "backend"}, key("cluster", text(Format::name), "",
                                               "Its cluster; the file has it as cluster_name."))),
          also({"server", "member"},
               key("endpoint", text(Format::text, instance_places()), "{address}:{port}",
                   "The instance's address and port there, as numbers."))};
}

void decode(const LoadContext& context, const Reader& reader, LoadBalancer& lb) {
  EnvoyLb options;
  options.endpoints = reader.text("endpoints");
  options.panic_percent = std::atoi(reader.text("panic_threshold").c_str());  // "50%", checked
  options.timeout_ms = reader.duration("timeout");
  lb.options = std::move(options);
  decode_http_nodes(context, reader, node_table(), lb);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  validate_nodes(context, lb);
  if (const auto* file = std::get_if<EnvoyLb>(&lb.options);
      file != nullptr && !file->endpoints.empty() && !file->endpoints.ends_with(".json"))
    context.error("HL0232", context.place({"load_balancers", lb.name, "endpoints"}),
                  fmt::format("`endpoints` of `{}` wants a .json file", lb.name),
                  "Envoy reads endpoints from JSON too");
  if (const auto* options = std::get_if<EnvoyLb>(&lb.options))
    validate_http_timeout(context, lb, options->timeout_ms);
}

}  // namespace

LbKindEntry envoy_entry() {
  return {LbKind::envoy, "envoy", keys, pool_keys, "cluster",
          "endpoint",    false,   true, decode,    validate};
}

}  // namespace hitless::fleet
