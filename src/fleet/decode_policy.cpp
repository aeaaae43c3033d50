#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "fleet/load_context.hpp"

namespace hitless::fleet {
namespace {

std::int64_t resolve_floor(const Reader& policy, std::int64_t instances) {
  const std::string written = policy.text("floor");
  if (auto percent = parse_percent(written))
    return static_cast<std::int64_t>(
        std::ceil(*percent * static_cast<double>(instances) / 100.0 - 1e-9));
  if (auto number = parse_integer(written)) return *number;
  // All but one. A lone instance cannot be kept and replaced at the same time.
  return std::max<std::int64_t>(0, instances - 1);
}

void resolve_canaries(const LoadContext& context, const Reader& policy, Service& service) {
  const std::string written = policy.text("canary");
  if (written == "none" || service.hosts.empty() || context.undefined_hosts.count(service.name) > 0)
    return;
  if (auto count = parse_integer(written)) {
    if (*count > static_cast<std::int64_t>(service.hosts.size()))
      context.error("HL0307", policy.span("canary"),
                    fmt::format("{} canaries of {} instances", *count, service.hosts.size()),
                    "too many");
    const auto size =
        std::min(static_cast<std::size_t>(std::max<std::int64_t>(0, *count)), service.hosts.size());
    service.policy.canaries.assign(service.hosts.begin(),
                                   service.hosts.begin() + static_cast<std::ptrdiff_t>(size));
    return;
  }
  if (std::find(service.hosts.begin(), service.hosts.end(), written) != service.hosts.end()) {
    service.policy.canaries = {written};
    return;
  }
  const std::string meant = nearest(written, service.hosts);
  context.error(
      "HL0307", policy.span("canary"),
      fmt::format("canary `{}` is not a host of `{}`", escape_for_terminal(written), service.name),
      meant.empty() ? "" : fmt::format("did you mean `{}`?", meant));
}

void decode_phases(const Reader& policy, Policy& made) {
  const Reader drain = policy.object("drain", drain_table());
  made.drain.deadline_ms = drain.duration("deadline");
  made.drain.quiet_ms = drain.duration("quiet");
  made.drain.settle_ms = drain.duration("settle");
  made.drain.host_count = drain.flag("host_count");
  const std::string on_deadline = drain.text("on_deadline");
  made.drain.on_deadline = on_deadline == "force"  ? OnDeadline::force
                           : on_deadline == "wait" ? OnDeadline::wait
                                                   : OnDeadline::abort;
  const Reader verify = policy.object("verify", verify_table());
  made.verify.deadline_ms = verify.duration("deadline");
  made.verify.stability_ms = verify.duration("stability");
  made.verify.grace_ms = verify.duration("grace");
  made.verify.latency_slack_ms = verify.duration("latency_slack");
  made.verify.samples = static_cast<int>(verify.whole("samples"));
  made.verify.latency_factor = verify.number("latency_factor");
  made.verify.compare_latency = verify.flag("compare_latency");
  const Reader rejoin = policy.object("rejoin", rejoin_table());
  made.rejoin.deadline_ms = rejoin.duration("deadline");
  made.rejoin.traffic_wait_ms = rejoin.duration("traffic_wait");
  made.rejoin.soak_ms = rejoin.duration("soak");
  made.rejoin.max_error_ratio = rejoin.number("max_error_ratio");
}

void decode_autonomy(const Reader& policy, Policy& made) {
  const Reader autonomy = policy.object("autonomy", autonomy_table());
  for (const char* intent : {"restart", "reload", "apply", "reboot", "patch"}) {
    std::string level = autonomy.text(intent);
    if (level.empty()) level = autonomy.text("default");
    if (level.empty()) continue;
    made.autonomy[intent] = level == "observe"   ? Autonomy::observe
                            : level == "propose" ? Autonomy::propose
                            : level == "approve" ? Autonomy::approve
                                                 : Autonomy::automatic;
  }
  made.approve_own_agent = policy.flag("approve_own_agent");
  made.actions_per_hour = policy.whole("actions_per_hour");
  made.certificate_days = static_cast<int>(policy.whole("certificate_days"));
}

}  // namespace

void decode_policy(LoadContext& context, Service& service, const Node& node) {
  const Reader policy = Reader(node, service_table()).object("policy", policy_table());
  const auto known = static_cast<std::int64_t>(service.hosts.size());
  const std::int64_t instances = context.instances_of(service).value_or(known);
  Policy& made = service.policy;
  made.mark = context.mark(Reader(node, service_table()).span("policy"));
  made.floor = resolve_floor(policy, instances);
  auto at_once = parse_integer(policy.text("at_once"));
  made.at_once = at_once ? *at_once : std::max<std::int64_t>(1, instances - made.floor);
  made.max_failures = policy.whole("max_failures");
  made.capacity_wait_ms = policy.duration("capacity_wait");
  made.zone_by_zone = policy.flag("zone_by_zone");
  made.watchdog = policy.flag("watchdog");
  made.reboot_deadline_ms = policy.duration("reboot_deadline");
  made.install_deadline_ms = policy.duration("install_deadline");
  resolve_canaries(context, policy, service);
  decode_autonomy(policy, made);
  decode_windows(context, policy, made);
  decode_gates(context, policy, made);
  decode_phases(policy, made);
}

}  // namespace hitless::fleet
