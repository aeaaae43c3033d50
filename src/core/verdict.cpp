#include "core/verdict.hpp"

#include <algorithm>

#include "core/planted.hpp"

namespace hitless::core {
namespace {

bool any_in(const State& state, PhaseName phase) {
  return std::any_of(state.instances.begin(), state.instances.end(),
                     [&](const Instance& i) { return name_of(i.phase) == phase; });
}

bool any_failed(const State& state) {
  return std::any_of(state.instances.begin(), state.instances.end(),
                     [](const Instance& i) { return i.failed; });
}

// A changed instance that serves while the rollout did not go through: the fleet is mixed.
bool mixed(const State& state) {
  const bool incomplete =
      std::any_of(state.instances.begin(), state.instances.end(), [](const Instance& i) {
        const PhaseName phase = name_of(i.phase);
        return phase != PhaseName::done && phase != PhaseName::skipped;
      });
  const bool changed =
      std::any_of(state.instances.begin(), state.instances.end(), [](const Instance& i) {
        return name_of(i.phase) == PhaseName::done && i.config_touched && !i.config_restored;
      });
  return incomplete && changed;
}

}  // namespace

RolloutResult verdict(const State& state) {
  // Whoever is left out needs a human, also when a gate then said no.
  if (any_in(state, PhaseName::quarantined)) return RolloutResult::human_needed;
  if (state.blocked) return RolloutResult::blocked;
  const bool over_tolerance = any_failed(state) && state.halted;
  if (state.halted && mixed(state) && !state.stop_asked) return RolloutResult::human_needed;
  if (over_tolerance && !state.abort_asked) return RolloutResult::rolled_back;
  if (state.stop_asked || state.abort_asked) return RolloutResult::aborted;
  if (state.halted) return RolloutResult::rolled_back;
  return any_failed(state) ? RolloutResult::rolled_back : RolloutResult::succeeded;
}

std::string why(const State& state) {
  for (const Instance& instance : state.instances) {
    if (instance.failed) return instance.plan.id.value + ": " + instance.failure;
  }
  return state.halt_reason;
}

bool needs_incident(const State& state) {
  if (HITLESS_PLANTED(no_incident)) return false;
  const RolloutResult result = verdict(state);
  return result == RolloutResult::rolled_back || result == RolloutResult::human_needed;
}

}  // namespace hitless::core
