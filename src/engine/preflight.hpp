// The checklist of one instance before anything is touched, each line with its evidence.
#pragma once
#include <map>
#include <string>

#include "core/event.hpp"
#include "engine/config_ops.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct PreflightOptions {
  core::Intent intent = core::Intent::restart;
  std::string rollout;                // names the backups; empty: only look, write nothing (`plan`)
  bool if_needed = false;             // reboot: not where the host does not ask for it
  std::vector<std::string> packages;  // patch
  bool without_way_back = false;
  std::vector<core::PlannedPackage> planned;  // of a rollout that runs: nothing else is changed
};

struct PreflightResult {
  core::PreflightReport report;
  core::Action action = core::Action::none;  // what this instance needs
  std::string change_summary;
  confdiff::ChangeClass change_class = confdiff::ChangeClass::none;
  std::vector<core::PlannedPackage> packages;
  std::vector<std::pair<std::string, std::string>> fingerprint;  // what the plan stands on
};

// A preflight that passed serves for a rollout that starts within this time of it, unless it has to
// write backups: what moves meanwhile is looked at again just before each turn and each act.
inline constexpr DurationMs kPreflightFreshMs = 5'000;

// What `plan` has just found out, by instance.
struct RecentPreflights {
  std::map<core::InstanceId, PreflightResult> results;
  TimeMs at = 0;  // steady clock, before the first of them began
};

Task<PreflightResult> preflight(const ServiceParts* parts, const InstanceParts* instance,
                                PreflightOptions options);

// The short form just before its turn.
Task<core::Outcome> recheck(const ServiceParts* parts, const InstanceParts* instance);

Task<core::LatencyBaseline> measure_baseline(ports::Health* health, std::int64_t samples,
                                             DurationMs budget_ms);

}  // namespace hitless::engine
