#include "engine/planner.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "engine/traffic_ops.hpp"

namespace hitless::engine {
namespace {

constexpr int kRolloutIdBytes = 3;
constexpr const char* kNotSelected = "not selected";
// Beside settling, work that was in flight needs time to end.
constexpr DurationMs kDrainRoomMs = 30'000;

Task<void> preflight_into(const ServiceParts* parts, const InstanceParts* instance,
                          PreflightOptions options, PreflightResult* out) {
  *out = co_await preflight(parts, instance, std::move(options));
}

Task<void> capabilities_into(ports::Traffic* pool, Result<ports::TrafficCapabilities>* out) {
  *out = co_await pool->capabilities();
}

bool selected(const PlanOptions& options, const InstanceParts& instance) {
  if (instance.bystander) return false;
  if (options.limit.empty()) return true;
  return std::any_of(options.limit.begin(), options.limit.end(), [&](const std::string& word) {
    return word == instance.id.value || word == instance.host_name;
  });
}

Status check_limit(const ServiceParts& parts, const PlanOptions& options) {
  std::vector<std::string> wanted = options.limit;
  if (!options.canary.empty()) wanted.push_back(options.canary);
  for (const std::string& word : wanted) {
    const bool known = std::any_of(
        parts.instances.begin(), parts.instances.end(),
        [&](const InstanceParts& i) { return word == i.id.value || word == i.host_name; });
    if (known) continue;
    std::string all;
    for (const InstanceParts& i : parts.instances) all += (all.empty() ? "" : ", ") + i.host_name;
    return fail(ErrorCode::invalid, "service " + parts.name + " has no instance on `" + word + "`",
                {}, "its hosts: " + all);
  }
  const bool canary_goes =
      std::any_of(parts.instances.begin(), parts.instances.end(), [&](const InstanceParts& i) {
        return (options.canary == i.id.value || options.canary == i.host_name) &&
               selected(options, i);
      });
  if (!options.canary.empty() && !canary_goes)
    return fail(ErrorCode::invalid,
                "the canary " + options.canary + " is not among the hosts of --limit", {},
                "name it there too, or leave --canary out");
  return {};
}

// Canary first, the others in the fleet file's order.
std::vector<core::InstancePlan> order(const ServiceParts& parts, const PlanOptions& options,
                                      const std::vector<InstanceDraft>& drafts) {
  std::vector<core::InstancePlan> plans;
  const auto is_canary = [&](const InstanceParts& i) {
    if (options.canary.empty()) {
      return std::find(parts.canaries.begin(), parts.canaries.end(), i.host_name) !=
             parts.canaries.end();
    }
    return options.canary == i.host_name || options.canary == i.id.value;
  };
  for (std::size_t n = 0; n < parts.instances.size(); ++n) {
    const InstanceParts& instance = parts.instances[n];
    core::InstancePlan plan{instance.id, instance.host_name, instance.zone, false, {}};
    if (!selected(options, instance)) {
      plan.skip_reason = kNotSelected;
    } else {
      plan.skip_reason = drafts[n].preflight.report.skip_reason;
    }
    plan.canary = is_canary(instance) && plan.skip_reason.empty();
    const auto first_other =
        std::find_if(plans.begin(), plans.end(), [](const auto& p) { return !p.canary; });
    plans.insert(plan.canary ? first_other : plans.end(), std::move(plan));
  }
  return plans;
}

// The floor that leaves the least room now.
struct Room {
  std::string service;  // empty: the only one
  std::int64_t serving = 0, total = 0, floor = 0;
  [[nodiscard]] std::int64_t left() const { return std::max<std::int64_t>(serving - floor, 0); }
};

Room tightest_room(const PlanDraft& draft) {
  const auto count = [&](const std::string& service, std::int64_t floor, const auto& counts) {
    Room room{service, 0, 0, floor};
    for (const InstanceDraft& each : draft.instances) {
      if (!counts(each.id)) continue;
      ++room.total;
      room.serving += core::carries_load(each.reading) ? 1 : 0;
    }
    return room;
  };
  if (draft.plan.floors.empty()) {
    return count({}, draft.plan.policy.capacity.floor, [](const auto&) { return true; });
  }
  std::optional<Room> tightest;
  for (const core::ServiceFloor& group : draft.plan.floors) {
    const Room room = count(group.service, group.floor, [&](const core::InstanceId& id) {
      return std::find(group.members.begin(), group.members.end(), id) != group.members.end();
    });
    if (!tightest || room.left() < tightest->left()) tightest = room;
  }
  return *tightest;
}

void settle_capacity(PlanDraft& draft, const PlanOptions& options) {
  core::CapacityPolicy& capacity = draft.plan.policy.capacity;
  const Room tightest = tightest_room(draft);
  const std::int64_t room = tightest.left(), serving = tightest.serving;
  if (options.at_once) capacity.at_once = *options.at_once;
  for (const core::ServiceFloor& group : draft.plan.floors) {
    draft.capacity_remarks.push_back(
        fmt::format("{}: floor {} of {}", group.service, group.floor, group.members.size()));
  }
  if (capacity.at_once > room) {
    const std::string of = tightest.service.empty() ? "" : " of " + tightest.service;
    draft.capacity_remarks.push_back(fmt::format(
        "floor {}{}. {} at once asked for; {} possible ({} of {} serving, {} − {} = {} may be out)",
        tightest.floor, of, capacity.at_once, room, serving, tightest.total, serving,
        tightest.floor, room));
    capacity.at_once = std::max<std::int64_t>(room, 1);
    // One that is out of rotation already costs nothing to work on.
    draft.no_room =
        room == 0 &&
        std::all_of(draft.instances.begin(), draft.instances.end(), [](const InstanceDraft& d) {
          return !d.preflight.report.skip_reason.empty() || core::carries_load(d.reading);
        });
  } else {
    draft.capacity_remarks.push_back(fmt::format("floor {}, {} at once, {} serving now",
                                                 tightest.floor, capacity.at_once, serving));
  }
}

void add_files(const ServiceParts& parts, PlanDraft& draft) {
  for (const InstanceParts& instance : parts.instances) {
    for (const ConfigFile& file : instance.files) {
      draft.plan.files.push_back(
          {instance.id, file.dest, file.source, sha256_hex(file.content), file.mode});
    }
  }
}

// One action for the whole rollout: the strongest that any instance needs.
void choose_action(PlanDraft& draft) {
  for (const InstanceDraft& each : draft.instances) {
    if (!each.preflight.report.skip_reason.empty()) continue;
    draft.plan.packages.insert(draft.plan.packages.end(), each.preflight.packages.begin(),
                               each.preflight.packages.end());
    if (static_cast<int>(each.preflight.action) > static_cast<int>(draft.plan.action))
      draft.plan.action = each.preflight.action;
    if (draft.plan.change_summary.empty())
      draft.plan.change_summary = each.preflight.change_summary;
  }
  if (draft.plan.action == core::Action::none) draft.plan.action = core::Action::reload;
}

// What a driver cannot promise, the plan makes up for: longer waits, and the hosts' own counts.
Status heed(const ServiceParts& parts, const ports::Traffic& pool,
            const ports::TrafficCapabilities& capabilities, PlanDraft& draft) {
  const std::string name = pool.describe();
  for (const std::string& remark : capabilities.remarks)
    draft.lb_remarks.push_back(name + ": " + remark);
  core::DrainPolicy& drain = draft.plan.policy.drain;
  if (!capabilities.counts_work) {
    const bool ports_known = std::ranges::all_of(
        parts.instances, [](const InstanceParts& each) { return each.port != 0; });
    if (!drain.host_count || !ports_known) {
      return fail(ErrorCode::invalid, name + " does not count what is in flight", {},
                  "give the service a `port:` and leave `policy.drain.host_count` true, so that "
                  "the hosts' own sockets are counted");
    }
  }
  drain.settle_ms = std::max(drain.settle_ms, capabilities.settle_ms);
  const DurationMs drain_needs = drain.settle_ms + drain.quiet_ms + kDrainRoomMs;
  if (capabilities.settle_ms > 0 && drain.deadline_ms < drain_needs) {
    draft.lb_remarks.push_back(
        fmt::format("{}: the drain deadline is {} instead of {}, because it settles for {}", name,
                    format_duration(drain_needs), format_duration(drain.deadline_ms),
                    format_duration(drain.settle_ms)));
    drain.deadline_ms = drain_needs;
  }
  core::RejoinPolicy& rejoin = draft.plan.policy.rejoin;
  if (rejoin.deadline_ms < capabilities.rejoin_ms) {
    draft.lb_remarks.push_back(fmt::format("{}: the rejoin deadline is {} instead of {}", name,
                                           format_duration(capabilities.rejoin_ms),
                                           format_duration(rejoin.deadline_ms)));
    rejoin.deadline_ms = capabilities.rejoin_ms;
  }
  return {};
}

// A driver that could not do its work says so here, before anything is touched.
void block(const ports::Traffic& pool, const Error& error, PlanDraft& draft) {
  const bool known = error.code == ErrorCode::refused || error.code == ErrorCode::not_found;
  const core::Check check{"Load balancer driver",
                          known ? core::CheckStatus::fail : core::CheckStatus::unknown,
                          pool.describe() + ": " + describe(error), error.help};
  for (InstanceDraft& each : draft.instances) {
    if (each.preflight.report.skip_reason.empty()) each.preflight.report.checks.push_back(check);
  }
}

}  // namespace

RecentPreflights PlanDraft::preflights() const {
  RecentPreflights recent;
  recent.at = looked_at;
  for (const InstanceDraft& instance : instances)
    recent.results.emplace(instance.id, instance.preflight);
  return recent;
}

const core::Check* PlanDraft::blocking() const {
  for (const InstanceDraft& instance : instances) {
    if (!instance.preflight.report.skip_reason.empty()) continue;
    for (const core::Check& check : instance.preflight.report.checks) {
      if (check.status == core::CheckStatus::fail || check.status == core::CheckStatus::unknown)
        return &check;
    }
  }
  return nullptr;
}

namespace {

core::Plan begin_plan(const ServiceParts& parts, const PlanOptions& options) {
  core::Plan plan;
  plan.rollout = "R-" + random_hex(kRolloutIdBytes);
  plan.service = parts.name;
  plan.intent = options.intent;
  plan.action = core::Action::none;
  plan.changes_config =
      options.intent == core::Intent::apply || options.intent == core::Intent::patch;
  plan.policy = parts.policy;
  plan.floors = parts.floors;
  plan.install_ms = parts.install_ms;
  plan.without_way_back = options.without_way_back;
  plan.created_at = wall_now_ms();
  return plan;
}

}  // namespace

Task<Result<PlanDraft>> make_plan(const ServiceParts* parts, PlanOptions options) {
  if (Status ok = check_limit(*parts, options); !ok) co_return tl::unexpected<Error>(ok.error());
  PlanDraft draft;
  draft.looked_at = steady_now_ms();
  draft.plan = begin_plan(*parts, options);
  if (options.intent == core::Intent::apply) {
    const bool any = std::any_of(parts->instances.begin(), parts->instances.end(),
                                 [](const InstanceParts& i) { return !i.files.empty(); });
    if (!any) {
      co_return fail(
          ErrorCode::invalid, "service " + parts->name + " has no `config:` files to apply", {},
          "add `config: [{source: …, dest: …}]` to the service, or use restart or reload");
    }
    add_files(*parts, draft);
  }
  const FullReading reading = co_await read_traffic(parts);
  draft.instances.resize(parts->instances.size());
  std::vector<Result<ports::TrafficCapabilities>> capabilities(parts->pools.size());
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < parts->pools.size(); ++i)
    tasks.push_back(capabilities_into(parts->pools[i], &capabilities[i]));
  for (std::size_t i = 0; i < parts->instances.size(); ++i) {
    const InstanceParts& instance = parts->instances[i];
    draft.instances[i].id = instance.id;
    draft.instances[i].reading = reading.merged.at(instance.id);
    if (!selected(options, instance)) {
      PreflightResult& unselected = draft.instances[i].preflight;
      unselected.report.skip_reason = kNotSelected;
      // Not touched, but the floor stands on it.
      unselected.fingerprint.emplace_back("load balancer state",
                                          core::to_string(draft.instances[i].reading.state));
      continue;
    }
    PreflightOptions wanted;
    wanted.intent = options.intent;
    wanted.if_needed = options.if_needed;
    wanted.packages = options.packages;
    wanted.without_way_back = options.without_way_back;
    tasks.push_back(preflight_into(parts, &instance, wanted, &draft.instances[i].preflight));
  }
  co_await join_all(std::move(tasks));
  choose_action(draft);
  draft.plan.instances = order(*parts, options, draft.instances);
  settle_capacity(draft, options);
  for (std::size_t i = 0; i < parts->pools.size(); ++i) {
    if (!capabilities[i]) {
      block(*parts->pools[i], capabilities[i].error(), draft);
      continue;
    }
    if (Status ok = heed(*parts, *parts->pools[i], *capabilities[i], draft); !ok)
      co_return tl::unexpected<Error>(ok.error());
  }
  for (const InstanceDraft& each : draft.instances) {
    for (const auto& [name, value] : each.preflight.fingerprint)
      draft.fingerprint.emplace_back(each.id.value + " " + name, value);
  }
  for (const core::PlannedFile& file : draft.plan.files) {
    draft.fingerprint.emplace_back(file.source + " for " + file.instance.value, file.sha256);
  }
  co_return draft;
}

PlanOptions options_of(const core::Plan& plan) {
  PlanOptions options;
  options.intent = plan.intent;
  options.without_way_back = plan.without_way_back;
  for (const core::PlannedPackage& package : plan.packages) {
    if (std::find(options.packages.begin(), options.packages.end(), package.name) ==
        options.packages.end())
      options.packages.push_back(package.name);
  }
  for (const core::InstancePlan& instance : plan.instances) {
    if (instance.skip_reason != kNotSelected) options.limit.push_back(instance.id.value);
  }
  if (options.limit.size() == plan.instances.size())
    options.limit.clear();  // a new host must be noticed
  return options;
}

std::vector<std::string> what_moved(const Fingerprint& then, const Fingerprint& now) {
  std::vector<std::string> moved;
  for (const auto& [name, value] : then) {
    const auto it =
        std::find_if(now.begin(), now.end(), [&](const auto& item) { return item.first == name; });
    if (it == now.end()) {
      moved.push_back(name + ": " + value.substr(0, 16) + " -> gone");
    } else if (it->second != value) {
      moved.push_back(name + ": " + value.substr(0, 16) + " -> " + it->second.substr(0, 16));
    }
  }
  for (const auto& [name, value] : now) {
    const bool known =
        std::any_of(then.begin(), then.end(), [&](const auto& item) { return item.first == name; });
    if (!known) moved.push_back(name + ": new, " + value.substr(0, 16));
  }
  return moved;
}

}  // namespace hitless::engine
