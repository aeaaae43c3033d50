// Kind consul: registrations in Consul, in maintenance mode while they are out.
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

std::vector<Key> keys() {
  return {also({"agent"}, key("url", text(Format::http_url), "http://127.0.0.1:8500",
                              "The agent, as seen from each instance's host.")),
          key("token", text(Format::secret), "", "ACL token, with service:write and node:read."),
          needed(key("settle", duration(), "",
                     "How long those who look the service up take to notice (DNS caches).")),
          http_timeout_key()};
}

std::vector<Key> pool_keys() {
  return {
      needed(also({"pool"}, key("service", text(Format::name), "", "Its name in the catalogue."))),
      also({"id"}, key("service_id", text(Format::name, instance_places()), "{service}",
                       "The instance's ID at the agent of its host."))};
}

void decode(const LoadContext&, const Reader& reader, LoadBalancer& lb) {
  ConsulLb options;
  options.url = reader.text("url");
  while (options.url.ends_with('/')) options.url.pop_back();
  options.token = reader.secret("token");
  options.settle_ms = reader.duration("settle");
  options.timeout_ms = reader.duration("timeout");
  lb.options = std::move(options);
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  if (const auto* options = std::get_if<ConsulLb>(&lb.options))
    validate_http_timeout(context, lb, options->timeout_ms);
}

}  // namespace

LbKindEntry consul_entry() {
  return {LbKind::consul, "consul", keys, pool_keys, "service",
          "service_id",   true,     true, decode,    validate};
}

}  // namespace hitless::fleet
