#include "core/decide.hpp"

#include <algorithm>

#include "core/capacity.hpp"
#include "core/instance_fsm.hpp"
#include "core/rollout_fsm.hpp"

namespace hitless::core {
namespace {

constexpr DurationMs kExpectedTrafficMs = 10;  // while somebody waits for what it will say
constexpr DurationMs kFastTrafficMs = 20;      // while somebody is out, or just back
constexpr DurationMs kSlowTrafficMs = 500;     // otherwise: the floor must still be seen

void wake(Decision& decision, TimeMs at) {
  if (!decision.wake_at || at < *decision.wake_at) decision.wake_at = at;
}

void number_effects(const State& state, Decision& decision) {
  std::int64_t next = state.next_effect;
  for (Effect& effect : decision.effects) {
    effect.id = state.plan.rollout + "." + std::to_string(next++);
    effect.epoch = state.epoch;
  }
}

void add_traffic_watch(const State& state, const Census& census, std::vector<Watch>& watches) {
  Watch& watch = watches.emplace_back();
  watch.kind = WatchKind::traffic;
  watch.interval_ms = kSlowTrafficMs;
  for (const std::size_t place : census.members(Trait::busy)) {
    const Instance& instance = state.instances[place];
    const PhaseName phase = name_of(instance.phase);
    if (phase == PhaseName::draining || phase == PhaseName::rejoining) {
      watch.interval_ms = kExpectedTrafficMs;
    } else if (phase == PhaseName::acting || phase == PhaseName::soaking) {
      watch.interval_ms = std::min(watch.interval_ms, kFastTrafficMs);
    }
    watch.counters |= phase == PhaseName::rejoining || phase == PhaseName::soaking;
    // Before it is out everywhere its count says nothing, and the host has other things to answer.
    const auto* draining = std::get_if<Draining>(&instance.phase);
    if (draining != nullptr && draining->commanded && state.plan.policy.drain.host_count) {
      watch.host_counts.push_back(instance.plan.id);
    }
  }
}

// A rollback waits until no instance leaves at the same moment: one choice per call, as for new
// ones.
bool starts_to_leave(const Advanced& advanced) {
  return advanced.from == PhaseName::rolling_back && advanced.to == PhaseName::draining;
}

}  // namespace

Decision decide(const State& state, const Census& census, TimeMs now) {
  Decision decision;
  if (state.started_at == 0 || state.ended) return decision;
  decision.records = rollout_records(state, census);
  if (!decision.records.empty()) return decision;

  bool one_leaves = false;
  const std::int64_t working = census.count(Trait::in_work);
  for (const std::size_t place : census.members(Trait::busy)) {
    const Instance& instance = state.instances[place];
    Step step = next_step(state, census, instance, now);
    if (step.wake_at) wake(decision, *step.wake_at);
    if (step.advance) {
      const bool leaves = starts_to_leave(*step.advance);
      const bool room = instance.taken_out || working < state.plan.policy.capacity.at_once;
      if (leaves && (one_leaves || !room)) continue;
      one_leaves |= leaves;
      decision.records.push_back(std::move(*step.advance));
    }
    if (step.effect) {
      step.effect->instance = instance.plan.id;
      step.effect->direction = instance.direction;
      decision.effects.push_back(std::move(*step.effect));
    }
  }
  if (!one_leaves) choose_next(state, census, now, decision);
  if (!decision.records.empty()) {
    decision.effects.clear();
    return decision;
  }
  close_rollout(state, census, now, decision);
  number_effects(state, decision);
  decision.watches.reserve(1 + 2 * static_cast<std::size_t>(working));
  add_traffic_watch(state, census, decision.watches);
  for (const std::size_t place : census.members(Trait::busy))
    add_watches(state, state.instances[place], decision.watches);
  return decision;
}

}  // namespace hitless::core
