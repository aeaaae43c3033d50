// Plan, show, ask, run: what restart, reload, apply, retry and rollback have in common. A rollout
// of the service that was cut off is finished first.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "cli/app.hpp"
#include "cli/plan_file.hpp"
#include "cli/wiring.hpp"
#include "engine/planner.hpp"

namespace hitless::cli {

// The journal's fact with the sentence that a rollout was asked for with.
inline constexpr std::string_view kAsked = "asked:";

struct PlannedRun {
  std::string service;
  engine::PlanOptions options;
  std::optional<SavedPlan> saved;  // run exactly this one
  Sources sources = Sources::required;
  bool safe_direction = false;                       // going back: needs no approval
  std::function<Task<Status>(Wiring*)> before_plan;  // may change what is to be installed
};

// The exit code.
[[nodiscard]] int run_planned(App& app, const PlannedRun& wanted);

}  // namespace hitless::cli
