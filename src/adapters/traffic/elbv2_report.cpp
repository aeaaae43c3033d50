#include "adapters/traffic/elbv2_report.hpp"

#include <charconv>

#include "base/text.hpp"

namespace hitless::elbv2 {
namespace {

using core::AdminState;
using core::LbCheck;

// Observed and reported by others: an ALB goes on for 15–20 s after it has said `draining`, an NLB
// for two to five minutes.
constexpr DurationMs kAlbSettleMs = 20'000, kNlbSettleMs = 180'000;

std::string shown(const std::string& text) {
  return escape_for_terminal(truncate_utf8(redact(text), 120));
}

std::string words_of(const TargetHealth& health) {
  std::string text = shown(health.state.empty() ? "no state" : health.state);
  if (!health.reason.empty()) text += " (" + shown(health.reason) + ")";
  if (!health.description.empty()) text += ": " + shown(health.description);
  return text;
}

Standing unused(const TargetHealth& health) {
  if (health.reason == "Target.NotRegistered")
    return {Presence::gone, LbCheck::none, "not registered"};
  const std::string note = words_of(health);
  if (health.reason == "Target.NotInUse") {
    return {Presence::misconfigured, LbCheck::unknown,
            note +
                " (no listener or rule sends to this target group, or its zone is not enabled: "
                "an error in the load balancer's configuration)"};
  }
  if (health.reason == "Target.IpUnusable")
    return {Presence::misconfigured, LbCheck::unknown, note};
  if (health.reason == "Target.InvalidState")  // the instance is stopped
    return {Presence::in, LbCheck::fail, note};
  return {Presence::unknown, LbCheck::unknown, note};
}

AdminState admin_of(Presence presence) {
  switch (presence) {
    case Presence::in:
      return AdminState::ready;
    case Presence::leaving:
    case Presence::gone:
      return AdminState::drain;
    case Presence::misconfigured:
      return AdminState::absent;
    case Presence::unknown:
      break;
  }
  return AdminState::unknown;
}

}  // namespace

Standing read_standing(const TargetHealth& health) {
  const std::string note = words_of(health);
  if (health.state == "unused") return unused(health);
  if (health.state == "draining") return {Presence::leaving, LbCheck::none, note};
  Standing in{Presence::in, LbCheck::unknown, note};
  if (health.state == "healthy") {
    in.check = LbCheck::pass;
    in.note.clear();
  } else if (health.state == "unhealthy" || health.state == "unhealthy.draining") {
    in.check = LbCheck::fail;
  } else if (health.state == "unavailable" && health.reason == "Target.HealthCheckDisabled") {
    in.check = LbCheck::none;
  } else if (health.state != "initial" && health.state != "unavailable") {
    in.presence = Presence::unknown;
  }
  // A zonal shift keeps traffic away for reasons of its own; ours to see, not ours to judge.
  if (health.override_state.find("active") != std::string::npos) {
    in.check = LbCheck::unknown;
    in.note += (in.note.empty() ? "" : ", ") + shown(health.override_state);
  }
  return in;
}

std::vector<const TargetHealth*> entries_of(const std::vector<TargetHealth>& all,
                                            const Member& member) {
  std::vector<const TargetHealth*> mine;
  for (const TargetHealth& each : all)
    if (each.key.id == member.id && (member.port == 0 || each.key.port == member.port))
      mine.push_back(&each);
  return mine;
}

std::vector<core::TargetReport> make_reports(const std::vector<TargetHealth>& all,
                                             const Member& member, const std::string& group) {
  std::vector<core::TargetReport> reports;
  core::TargetReport report;
  report.instance = member.instance;
  report.pool = group;
  report.uncounted = true;
  const auto entries = entries_of(all, member);
  for (const TargetHealth* each : entries) {
    const Standing standing = read_standing(*each);
    report.admin = admin_of(standing.presence);
    report.check = standing.check;
    report.note = standing.note.empty() ? "" : shown(member.id) + ": " + standing.note;
    if (entries.size() > 1) report.pool = group + ":" + std::to_string(each->key.port);
    reports.push_back(report);
  }
  if (reports.empty()) {
    report.admin = AdminState::drain;
    report.check = LbCheck::none;
    report.note = shown(member.id) + ": not registered";
    reports.push_back(std::move(report));
  }
  return reports;
}

TargetKey key_from_fleet_file(const Member& member, const TargetGroup& group) {
  return {member.id, member.port != 0 ? member.port : group.port, member.zone};
}

std::string why_not_restorable(const std::vector<const TargetHealth*>& entries,
                               const Member& member, const TargetGroup& group) {
  const TargetKey wanted = key_from_fleet_file(member, group);
  std::string ports;
  bool other_port = false, other_zone = false;
  for (const TargetHealth* each : entries) {
    ports += (ports.empty() ? "" : ", ") + std::to_string(each->key.port);
    other_port |= each->key.port != wanted.port;
    other_zone |= each->key.zone == "all" && wanted.zone != "all";
  }
  if (other_port || entries.size() > 1) {
    return shown(member.id) + " is registered on port " + ports +
           ": name each in the fleet file (`port:` of the pool), or a resume after a crash could "
           "not restore it";
  }
  if (other_zone) {
    return shown(member.id) +
           " is registered with AvailabilityZone all: say "
           "`availability_zone: all` in the pool, or a resume after a crash could not restore it";
  }
  return {};
}

std::optional<std::int64_t> whole_number(const Attributes& attributes, const std::string& key) {
  const auto it = attributes.find(key);
  if (it == attributes.end()) return std::nullopt;
  std::int64_t value = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [at, error] = std::from_chars(it->second.data(), end, value);
  if (it->second.empty() || error != std::errc() || at != end) return std::nullopt;  // "off"
  return value;
}

std::string why_fails_open(const std::vector<TargetHealth>& all, const std::vector<Member>& leaving,
                           const Attributes& attributes) {
  std::int64_t healthy_after = 0, registered_after = 0;
  for (const TargetHealth& each : all) {
    const bool mine = std::ranges::any_of(leaving, [&](const Member& member) {
      return each.key.id == member.id && (member.port == 0 || each.key.port == member.port);
    });
    const Standing standing = read_standing(each);
    if (mine || standing.presence != Presence::in) continue;
    ++registered_after;
    healthy_after += standing.check == LbCheck::pass || standing.check == LbCheck::none ? 1 : 0;
  }
  std::int64_t needed = 1;
  for (const char* rule : {"unhealthy_state_routing", "dns_failover"}) {
    const std::string prefix =
        std::string("target_group_health.") + rule + ".minimum_healthy_targets.";
    needed = std::max(needed, whole_number(attributes, prefix + "count").value_or(0));
    const auto percent = whole_number(attributes, prefix + "percentage").value_or(0);
    needed = std::max(needed, (registered_after * percent + 99) / 100);
  }
  if (healthy_after >= needed) return {};
  return fmt::format(
      "without {} {} of {} targets would be healthy, fewer than the {} below which AWS fails open "
      "(it then sends to all targets, healthy or not)",
      leaving.empty() ? "it" : shown(leaving.front().id), healthy_after, registered_after, needed);
}

bool is_network(const TargetGroup& group) {
  return group.protocol != "HTTP" && group.protocol != "HTTPS";
}

DurationMs default_settle_ms(const TargetGroup& group) {
  return is_network(group) ? kNlbSettleMs : kAlbSettleMs;
}

}  // namespace hitless::elbv2
