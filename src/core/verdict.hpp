// What a rollout came to, from its state alone.
#pragma once
#include <string>

#include "core/state.hpp"

namespace hitless::core {

[[nodiscard]] RolloutResult verdict(const State& state);
// One line: "web@web03: GET /healthz → HTTP 502 (5 of 5)". Empty when it succeeded.
[[nodiscard]] std::string why(const State& state);
[[nodiscard]] bool needs_incident(const State& state);

}  // namespace hitless::core
