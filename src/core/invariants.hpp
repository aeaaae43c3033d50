// The rules that always hold (ARCHITECTURE.md, I1–I12), as checks over one step of the fold. Called
// by the engine for every event (a violation stops it), by tests, and by the simulator.
#pragma once
#include <string>
#include <vector>

#include "core/census.hpp"
#include "core/state.hpp"

namespace hitless::core {

struct Violation {
  std::string rule;  // "I1"
  std::string what;
};

// May this event follow on this state? Asked before it is journaled. Empty: all rules hold.
[[nodiscard]] std::vector<Violation> check_before(const State& before, const Census& census,
                                                  const Event& event);
[[nodiscard]] inline std::vector<Violation> check_before(const State& before, const Event& event) {
  const bool ruled =
      std::holds_alternative<EffectIntended>(event) || std::holds_alternative<Advanced>(event);
  return ruled ? check_before(before, Census(before), event) : std::vector<Violation>{};
}
// Does the state keep the rules now that the event was applied?
[[nodiscard]] std::vector<Violation> check_after(const State& after, const Event& event);

}  // namespace hitless::core
