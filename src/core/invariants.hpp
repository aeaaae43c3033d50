// The rules that always hold (ARCHITECTURE.md, I1–I12), as checks over one step of the fold. Called
// by the engine for every event (a violation stops it), by tests, and by the simulator.
#pragma once
#include <string>
#include <vector>

#include "core/state.hpp"

namespace hitless::core {

struct Violation {
  std::string rule;  // "I1"
  std::string what;
};

// May this event follow on this state? Asked before it is journaled. Empty: all rules hold.
[[nodiscard]] std::vector<Violation> check_before(const State& before, const Event& event);
// Does the state keep the rules now that the event was applied?
[[nodiscard]] std::vector<Violation> check_after(const State& after, const Event& event);

}  // namespace hitless::core
