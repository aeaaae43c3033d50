// The plan as a person reads it: what would happen to which instance, why so many at once, and
// every line of the checklist that matters.
#pragma once
#include <string>

#include "cli/terminal.hpp"
#include "cli/wiring.hpp"
#include "engine/planner.hpp"

namespace hitless::cli {

// "Looking at web: 3 instances, be_web @ lb-1", while a plan is made.
[[nodiscard]] std::string looking_at(const Wiring& wiring);

[[nodiscard]] std::string plan_screen(const engine::PlanDraft& draft,
                                      const std::vector<std::string>& pools,
                                      const Terminal& terminal, bool with_checklists);

}  // namespace hitless::cli
