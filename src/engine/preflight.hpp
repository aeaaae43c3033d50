// The checklist of one instance before anything is touched, each line with its evidence.
#pragma once
#include <string>

#include "core/event.hpp"
#include "engine/config_ops.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct PreflightOptions {
  core::Intent intent = core::Intent::restart;
  std::string rollout;  // names the backups; empty: only look, write nothing (`plan`)
};

struct PreflightResult {
  core::PreflightReport report;
  core::Action action = core::Action::none;  // what this instance needs
  std::string change_summary;
  confdiff::ChangeClass change_class = confdiff::ChangeClass::none;
  std::vector<std::pair<std::string, std::string>> fingerprint;  // what the plan stands on
};

Task<PreflightResult> preflight(const ServiceParts* parts, const InstanceParts* instance,
                                PreflightOptions options);

// The short form just before its turn.
Task<core::Outcome> recheck(const ServiceParts* parts, const InstanceParts* instance);

Task<core::LatencyBaseline> measure_baseline(ports::Health* health, std::int64_t samples,
                                             DurationMs budget_ms);

}  // namespace hitless::engine
