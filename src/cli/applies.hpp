// Rollouts that were started for somebody who does not wait: `hitless restart --plan …` in a
// process of its own, with a log in the state folder, applies/R-1a2b3c.log. It outlives us; the log
// says why when it never got as far as the journal.
#pragma once
#include <optional>
#include <string>

#include "cli/app.hpp"
#include "cli/plan_file.hpp"

namespace hitless::cli {

struct ApplyStatus {
  bool running = false;
  std::string said;  // the end of its log
};
// Empty: nothing was started under this id.
[[nodiscard]] std::optional<ApplyStatus> apply_status(const App& app, const std::string& rollout);
// agent: its name; the process checks policy, approval and kill switch again, as for an agent.
[[nodiscard]] Status start_apply(const App& app, const SavedPlan& saved, const std::string& agent);

}  // namespace hitless::cli
