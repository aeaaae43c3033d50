// The rollout's own decisions: gates, whose turn it is, when to halt, what to roll back, when it is
// over.
#pragma once
#include "core/census.hpp"
#include "core/decide.hpp"
#include "core/state.hpp"

namespace hitless::core {

// Records that concern the rollout as a whole (start of preflights, gates, halts, rollbacks to
// begin).
[[nodiscard]] std::vector<Event> rollout_records(const State& state, const Census& census);

// The preflight or re-check to start, or the step of the next instance into draining; at most one
// choice.
void choose_next(const State& state, const Census& census, TimeMs now, Decision& decision);

// open_incident and finish, once nothing is left to do.
void close_rollout(const State& state, const Census& census, TimeMs now, Decision& decision);

}  // namespace hitless::core
