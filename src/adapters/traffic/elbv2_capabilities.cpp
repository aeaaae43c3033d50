#include "adapters/traffic/elbv2_capabilities.hpp"

#include "adapters/traffic/elbv2_scaling.hpp"
#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

constexpr DurationMs kAlbRejoinMs = 60'000, kNlbRejoinMs = 300'000;
constexpr std::size_t kMaxNeighbours = 20;  // target groups of the same load balancer looked into

std::string seconds(std::int64_t s) {
  return format_duration(s * 1'000);
}

void add_settle(const TargetGroup& group, const Elbv2Pool& pool, ports::TrafficCapabilities* out) {
  const bool network = is_network(group);
  out->settle_ms = pool.settle_ms.value_or(default_settle_ms(group));
  out->rejoin_ms = std::max(network ? kNlbRejoinMs : kAlbRejoinMs, group.check_interval_ms * 3);
  out->remarks.push_back(
      fmt::format("{}: settles for {} after deregistering, as {} may go on sending that long; the "
                  "instance serves on meanwhile",
                  network ? "NLB" : "ALB", format_duration(out->settle_ms),
                  network ? "it" : "the load balancer"));
  if (pool.settle_ms && *pool.settle_ms < default_settle_ms(group))
    out->remarks.push_back(fmt::format("`settle:` is shorter than the {} that AWS is known to take",
                                       format_duration(default_settle_ms(group))));
  out->remarks.emplace_back(
      "no in-flight count: the hosts' own sockets decide, idle keep-alive ones included");
  out->remarks.emplace_back("the watchdog cannot put a target back here; it raises its alarm only");
}

void add_attributes(const TargetGroup& group, const Attributes& attributes,
                    ports::TrafficCapabilities* out) {
  const auto is_true = [&](const char* key) {
    const auto it = attributes.find(key);
    return it != attributes.end() && it->second == "true";
  };
  if (const auto delay = whole_number(attributes, "deregistration_delay.timeout_seconds")) {
    const bool cuts =
        !is_network(group) || is_true("deregistration_delay.connection_termination.enabled");
    out->remarks.push_back(cuts ? "AWS cuts what is still in flight " + seconds(*delay) +
                                      " after deregistering (deregistration_delay)"
                                : "connections left after " + seconds(*delay) +
                                      " stay open (connection termination is off)");
  }
  if (const auto ramp = whole_number(attributes, "slow_start.duration_seconds"); ramp && *ramp > 0)
    out->remarks.push_back("slow start: a target gets its full share " + seconds(*ramp) +
                           " after it is back");
  if (is_network(group) && is_true("stickiness.enabled")) {
    out->sticky_leak = true;
    out->remarks.emplace_back("source IP stickiness: known clients may still reach it for a while");
  }
  if (!group.health_check) {
    out->checked_rejoin = false;
    out->remarks.emplace_back("health checks are off: a target gets work at once when it is back");
  }
}

// Would any of ours be refused to leave right now?
void add_guard(const std::vector<TargetHealth>& health, const Group& group,
               const Attributes& attributes, ports::TrafficCapabilities* out) {
  for (const Member& member : group.members()) {
    const auto entries = entries_of(health, member);
    const bool is_in = std::ranges::any_of(entries, [](const TargetHealth* each) {
      return read_standing(*each).presence == Presence::in;
    });
    for (const TargetHealth& each : health) {
      const bool named = std::ranges::any_of(group.members(), [&](const Member& other) {
        return other.id == each.key.id && (other.port == 0 || other.port == each.key.port);
      });
      if (each.key.id == member.id && !named && read_standing(each).presence == Presence::in)
        out->remarks.push_back(
            fmt::format("{} is also registered on port {}, which the fleet file "
                        "does not name: it is not drained there",
                        member.instance.value, each.key.port));
    }
    if (!is_in) continue;
    std::string why = why_not_restorable(entries, member, group.group());
    if (why.empty()) why = why_fails_open(health, group.members_of(member.instance), attributes);
    if (!why.empty()) out->remarks.push_back("a drain would be refused now: " + why);
  }
}

// The same instances in another target group of the same load balancer keep getting work from
// there.
Task<Status> add_neighbours(Link elb, Group* group, const Elbv2Pool* pool,
                            ports::TrafficCapabilities* out) {
  std::size_t looked = 0;
  for (const std::string& lb : group->group().load_balancers) {
    auto all = co_await groups_of(elb, lb);
    if (!all) co_return tl::unexpected(all.error().error);
    for (const TargetGroup& other : *all) {
      const bool known = other.arn == group->group().arn ||
                         std::ranges::any_of(pool->other_groups, [&](const std::string& name) {
                           return name == other.arn || name == other.name;
                         });
      if (known || ++looked > kMaxNeighbours) continue;
      auto health = co_await read_health(elb, other.arn, {});
      if (!health) co_return tl::unexpected(health.error().error);
      for (const Member& member : group->members()) {
        const bool there = std::ranges::any_of(*health, [&](const TargetHealth& each) {
          return each.key.id == member.id && read_standing(each).presence == Presence::in;
        });
        if (there)
          out->remarks.push_back(escape_for_terminal(
              member.instance.value + " is also in target group " + truncate_utf8(other.name, 60) +
              ", which the fleet file does not name: it is not drained there"));
      }
    }
  }
  co_return Status{};
}

Task<Status> add_scaling(const Group* group, const Elbv2Pool* pool,
                         ports::TrafficCapabilities* out) {
  std::vector<std::string> ids;
  for (const Member& member : group->members()) ids.push_back(member.id);
  const Scaling scaling = co_await read_scaling(pool->account, std::move(ids));
  for (const Member& member : group->members()) {
    if (const auto why = scaling.replaces.find(member.id); why != scaling.replaces.end())
      co_return fail(ErrorCode::refused, member.instance.value + ": " + why->second,
                     group->name() + " @ " + pool->lb, scaling_help);
  }
  if (!scaling.unknown.empty())
    out->remarks.push_back(
        "whether an Auto Scaling group may replace a target that leaves is not known (" +
        scaling.unknown +
        "); allow autoscaling:DescribeAutoScalingInstances and "
        "autoscaling:DescribeAutoScalingGroups, or see to it yourself");
  co_return Status{};
}

}  // namespace

Task<Result<ports::TrafficCapabilities>> find_capabilities(Group* group, const Elbv2Pool* pool) {
  ports::TrafficCapabilities out;
  out.exact_in_flight = false;
  out.counts_work = false;
  out.counts_idle = true;
  out.survives_lb_reload = out.survives_lb_restart = true;
  out.tells_foreign = out.counts_requests = false;
  auto health = co_await group->health_now();
  if (!health) co_return tl::unexpected(health.error());
  auto elb = co_await group->link();
  if (!elb) co_return tl::unexpected(elb.error());
  auto attributes = co_await read_attributes(*elb, group->group().arn);
  if (!attributes) co_return tl::unexpected(attributes.error().error);
  if (group->group().load_balancers.empty())
    out.remarks.emplace_back("no load balancer uses this target group");
  add_settle(group->group(), *pool, &out);
  add_attributes(group->group(), *attributes, &out);
  add_guard(*health, *group, *attributes, &out);
  if (auto ok = co_await add_neighbours(*elb, group, pool, &out); !ok)
    co_return tl::unexpected(ok.error());
  if (auto ok = co_await add_scaling(group, pool, &out); !ok) co_return tl::unexpected(ok.error());
  co_return out;
}

}  // namespace hitless::elbv2
