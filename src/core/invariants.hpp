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

// `before` --event--> `after`. Empty: all rules hold.
[[nodiscard]] std::vector<Violation> check_step(const State& before, const Event& event,
                                                const State& after);

}  // namespace hitless::core
