// Questions about a state that are asked everywhere.
#include "core/state.hpp"

#include <algorithm>

#include "core/census.hpp"

namespace hitless::core {

const Instance* find(const State& state, const InstanceId& id) {
  for (const Instance& instance : state.instances) {
    if (instance.plan.id == id) return &instance;
  }
  return nullptr;
}

TimeMs last_progress(const State& state) {
  TimeMs last = std::max(state.started_at, state.taken_over_at);
  for (const Instance& instance : state.instances) last = std::max(last, instance.ended_at);
  return last;
}

TimeMs last_progress(const State& state, const Census& census) {
  return std::max({state.started_at, state.taken_over_at, census.last_end()});
}

bool is_terminal(const Instance& instance) {
  switch (name_of(instance.phase)) {
    case PhaseName::done:
    case PhaseName::rolled_back:
    case PhaseName::quarantined:
    case PhaseName::skipped:
      return true;
    default:
      return false;
  }
}

bool in_work(const Instance& instance) {
  switch (name_of(instance.phase)) {
    case PhaseName::draining:
    case PhaseName::drained:
    case PhaseName::acting:
    case PhaseName::verifying:
    case PhaseName::rejoining:
    case PhaseName::soaking:
      return true;
    case PhaseName::preflight:
      return instance.pending && instance.pending->effect.kind == EffectKind::recheck;
    default:
      return false;
  }
}

}  // namespace hitless::core
