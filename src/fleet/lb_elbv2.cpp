// Kind elbv2: target groups of AWS Elastic Load Balancing v2 (ALB, NLB).
#include <fmt/format.h>

#include "base/text.hpp"
#include "fleet/lb_kinds.hpp"
#include "fleet/schema_types.hpp"

namespace hitless::fleet {

using namespace types;

namespace {

std::vector<Key> keys() {
  return {
      key("region", text(Format::name), "",
          "eu-west-1; default: AWS_REGION, the profile's, the EC2 instance's own."),
      key("profile", text(Format::visible), "",
          "Of ~/.aws/config; default: AWS_PROFILE, or AWS's chain of credentials."),
      key("endpoint", text(Format::http_url), "",
          "Of the ELBv2 API; default: as AWS_ENDPOINT_URL… and the profile say, else AWS's own."),
      key("settle", duration(), "",
          "How long after deregistering work may still come; default: 20s of an ALB, 180s of an "
          "NLB."),
      key("poll", duration(), "5s", "How long an answer about health is kept; 100ms to 60s."),
      key("counters", choice({"none", "cloudwatch"}), "none",
          "cloudwatch: error counts for the certificate; it then waits up to 5 minutes at the "
          "end.")};
}

std::vector<Key> pool_keys() {
  return {needed(also({"target_group_arn"}, key("target_group", text(Format::visible), "",
                                                "Name or ARN of the target group."))),
          also({"instance_id", "id"},
               key("target", text(Format::visible, instance_places()), "",
                   "i-0abc…, an IP address or tag:KEY=VALUE; default: found by the host's address, "
                   "else by the tag Name.")),
          key("port", text(Format::visible, instance_places()), "",
              "Only the registration on this port, \"{port}\" or \"8080\"; default: all of the "
              "target's."),
          key("availability_zone", text(Format::name), "",
              "Said when registering; `all` for IP addresses outside the VPC.")};
}

void decode(const LoadContext&, const Reader& reader, LoadBalancer& lb) {
  Elbv2Lb options;
  options.region = reader.text("region");
  options.profile = reader.text("profile");
  options.endpoint = reader.text("endpoint");
  if (reader.node("settle") != nullptr) options.settle_ms = reader.duration("settle");
  options.poll_ms = reader.duration("poll");
  options.cloudwatch = reader.text("counters") == "cloudwatch";
  lb.options = std::move(options);
}

bool is_port(const std::string& text) {
  const auto number = parse_integer(text);
  return number && *number >= 1 && *number <= 65'535;
}

// What a target may look like; whether it exists, AWS says.
bool is_target(const std::string& text) {
  if (text.starts_with("tag:")) return text.find('=') != std::string::npos && text.find('=') > 4;
  const bool id = text.starts_with("i-") && text.size() >= 10 && text.size() <= 19 &&
                  text.find_first_not_of("0123456789abcdef", 2) == std::string::npos;
  const bool address = text.find_first_not_of("0123456789abcdefABCDEF.:") == std::string::npos &&
                       text.find_first_of(".:") != std::string::npos;
  return id || address;
}

void validate_pool(const LoadContext& context, const Service& service, std::size_t index) {
  const auto at = [&](const char* key) {
    return context.place({"services", service.name, "pools", std::to_string(index), key});
  };
  for (const Instance& instance : service.instances) {
    const Target& target = instance.targets[index];
    const auto port = target.extras.find("port");
    if (port != target.extras.end() && !is_port(port->second)) {
      context.error("HL0108", at("port"), "`port` of a target group wants 1 to 65535",
                    fmt::format("{} for {}", escape_for_terminal(port->second), instance.id));
      return;
    }
    if (target.member.empty() || is_target(target.member)) continue;
    auto& d =
        context.error("HL0230", at("target"),
                      fmt::format("`{}` is no target of AWS's", escape_for_terminal(target.member)),
                      "for " + instance.id);
    d.help = "write i-0123…, an IP address, or tag:KEY=VALUE; {host} and {address} may stand in it";
    return;
  }
}

void validate_policy(const LoadContext& context, const Service& service, const LoadBalancer& lb) {
  const auto at = [&](const char* key) {
    return context.place({"services", service.name, "policy", "drain", key});
  };
  if (!service.policy.drain.host_count) {
    context.error("HL0220", at("host_count"),
                  fmt::format("`{}` does not count what is in flight", lb.name),
                  "the hosts' own sockets must be counted");
  }
  if (service.policy.drain.on_deadline == OnDeadline::force) {
    context.warning("HL0231", at("on_deadline"),
                    fmt::format("`{}` cannot cut off what is left", lb.name),
                    "ends like abort: AWS cuts only at the deregistration delay");
  }
}

void validate(const LoadContext& context, const LoadBalancer& lb) {
  constexpr DurationMs kMinMs = 100, kMaxMs = 60'000;
  const auto* options = std::get_if<Elbv2Lb>(&lb.options);
  if (options != nullptr && (options->poll_ms < kMinMs || options->poll_ms > kMaxMs))
    context.error("HL0108", context.place({"load_balancers", lb.name, "poll"}),
                  fmt::format("`poll` of `{}` wants 100ms to 60s", lb.name), "out of range");
  for (const auto& [name, service] : context.fleet.services) {
    bool uses = false;
    for (std::size_t i = 0; i < service.pools.size(); ++i) {
      if (service.pools[i].lb != lb.name) continue;
      uses = true;
      validate_pool(context, service, i);
    }
    if (uses) validate_policy(context, service, lb);
  }
}

}  // namespace

LbKindEntry elbv2_entry() {
  return {LbKind::elbv2, "elbv2", keys, pool_keys, "target_group",
          "target",      true,    true, decode,    validate};
}

}  // namespace hitless::fleet
