// Plans that were proposed, in the state folder: plans/P-1a2b3c4d.plan. The id is the beginning of
// the plan's hash, so that it names one plan and no other.
//
// Each file is written whole or not at all. At most kMaxPlans; the oldest go first.
#pragma once
#include <string>

#include "cli/app.hpp"
#include "cli/plan_file.hpp"

namespace hitless::cli {

inline constexpr std::size_t kMaxPlans = 200;

[[nodiscard]] std::string plan_id_of(const core::Plan& plan);
[[nodiscard]] Status keep_plan(const App& app, const SavedPlan& saved);
// not_found when there is none of that id.
[[nodiscard]] Result<SavedPlan> find_plan(const App& app, const std::string& id);
// The file that `--plan X` or `approve X` means: a path, or the id of a plan that was proposed.
[[nodiscard]] std::string plan_path(const App& app, const std::string& named);

}  // namespace hitless::cli
