// A saved plan: the plan, its hash, and the fingerprint of the state it stands on. `apply --plan`
// runs exactly this one, and only while nothing of it has moved and it is not older than its
// validity.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "engine/planner.hpp"

namespace hitless::cli {

inline constexpr DurationMs kPlanValidMs = 15 * 60 * 1000;

struct SavedPlan {
  core::Plan plan;
  engine::Fingerprint fingerprint;
  TimeMs saved_at = 0;
  std::string proposer;  // who asked for it; empty: a file from before it was kept
  std::string for_whom;  // the person that an agent works for; empty: the proposer is a person
  std::string reason;    // as the proposer gave it
  std::vector<std::string> evidence;  // ids that the proposer stands on
};

[[nodiscard]] std::string plan_file_text(const SavedPlan& saved);
[[nodiscard]] Status save_plan(const std::string& path, const SavedPlan& saved);
[[nodiscard]] Result<SavedPlan> load_plan(const std::string& path);  // refuses an altered one

}  // namespace hitless::cli
