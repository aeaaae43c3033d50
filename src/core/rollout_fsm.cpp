#include "core/rollout_fsm.hpp"

#include <algorithm>
#include <iterator>

#include "core/capacity.hpp"
#include "core/instance_fsm.hpp"
#include "core/planted.hpp"
#include "core/verdict.hpp"
#include "core/verify.hpp"

namespace hitless::core {
namespace {

constexpr DurationMs kPreflightDeadlineMs = 60'000;
constexpr std::int64_t kMaxPreflights = 64;  // at the same time: each is a connection and a reading
constexpr DurationMs kRecheckDeadlineMs = 15'000;
constexpr std::int64_t kMaxIncidentAttempts = 3;
constexpr std::int64_t kMaxRecheckAttempts = 3;

bool is(const Instance& instance, PhaseName phase) {
  return name_of(instance.phase) == phase;
}

Advanced step_of(const Instance& instance, PhaseName to, std::string reason) {
  return Advanced{instance.plan.id, name_of(instance.phase), to, std::move(reason)};
}

bool check_blocks(const Check& check) {
  return check.status == CheckStatus::fail || check.status == CheckStatus::unknown;
}

// Empty while preflights are running; then the first line that blocks, or nothing.
std::string blocking_check(const State& state) {
  for (const Instance& instance : state.instances) {
    if (!instance.report || !instance.report->skip_reason.empty()) continue;
    for (const Check& check : instance.report->checks) {
      if (check_blocks(check))
        return instance.plan.id.value + ": " + check.name + ": " + check.evidence;
    }
  }
  return {};
}

bool preflights_done(const Census& census) {
  return !census.any(Trait::unchecked);
}

bool untouched(const Census& census) {
  return !census.any(Trait::touched);
}

void start_records(const State& state, const Census& census, std::vector<Event>& records) {
  if (!census.any(Trait::waiting)) return;
  for (const Instance& instance : state.instances) {
    if (!is(instance, PhaseName::waiting)) continue;
    if (!instance.plan.skip_reason.empty()) {
      records.push_back(step_of(instance, PhaseName::skipped, instance.plan.skip_reason));
    } else {
      records.push_back(step_of(instance, PhaseName::preflight, ""));
    }
  }
}

void gate_records(const State& state, const Census& census, std::vector<Event>& records) {
  if (state.halted || !untouched(census) || !preflights_done(census)) return;
  if (census.any(Trait::blocked)) {
    records.push_back(Halted{blocking_check(state), false, true});
    return;
  }
  if (!census.any(Trait::to_skip)) return;
  for (const Instance& instance : state.instances) {
    if (is(instance, PhaseName::preflight) && instance.report &&
        !instance.report->skip_reason.empty()) {
      records.push_back(step_of(instance, PhaseName::skipped, instance.report->skip_reason));
    }
  }
}

void halt_records(const State& state, const Census& census, std::vector<Event>& records) {
  if (state.halted) {
    const bool upgrade = state.abort_asked && !state.roll_back_all;
    if (upgrade) records.push_back(Halted{"aborted by the operator", true, false});
    return;
  }
  const bool rollback = state.plan.changes_config;
  if (state.abort_asked) {
    records.push_back(Halted{"aborted by the operator", true, false});
    return;
  }
  if (state.stop_asked) {
    records.push_back(Halted{"stopped by the operator", false, false});
    return;
  }
  std::int64_t failures = 0;
  for (const std::size_t place : census.members(Trait::failed)) {
    const Instance& instance = state.instances[place];
    ++failures;
    if (is(instance, PhaseName::quarantined) && instance.direction == Direction::forward) {
      records.push_back(Halted{instance.plan.id.value + ": " + instance.failure, false, false});
      return;
    }
    if (failures > state.plan.policy.capacity.max_failures) {
      records.push_back(Halted{instance.plan.id.value + ": " + instance.failure, rollback, false});
      return;
    }
  }
}

// Every instance that runs, or may run, the new configuration goes back; one in work finishes its
// pending effect first.
void rollback_records(const State& state, const Census& census, std::vector<Event>& records) {
  if (!state.halted || !state.roll_back_all) return;
  const auto& done = census.members(Trait::done_changed);
  const auto& busy = census.members(Trait::busy);
  std::vector<std::size_t> either;
  std::set_union(done.begin(), done.end(), busy.begin(), busy.end(), std::back_inserter(either));
  for (const std::size_t place : either) {
    const Instance& instance = state.instances[place];
    if (instance.direction == Direction::backward || instance.pending) continue;
    const bool changed = instance.config_touched;
    if (is(instance, PhaseName::done) && changed) {
      records.push_back(
          step_of(instance, PhaseName::rolling_back, "rollback of every changed instance"));
    } else if (in_work(instance) && !is(instance, PhaseName::preflight) &&
               (changed || !instance.acted)) {
      records.push_back(step_of(instance, PhaseName::rolling_back,
                                "the rollout was halted: " + state.halt_reason));
    }
  }
}

void recheck_or_halt(const Census& census, const Instance& instance, TimeMs now,
                     Decision& decision) {
  if (instance.attempts >= kMaxRecheckAttempts) {
    const std::string reason = instance.plan.id.value + ": " + instance.last_error;
    decision.records.push_back(Halted{reason, false, untouched(census)});
    return;
  }
  if (now < instance.retry_at) {
    decision.wake_at = std::min(decision.wake_at.value_or(instance.retry_at), instance.retry_at);
    return;
  }
  Effect effect;
  effect.kind = EffectKind::recheck;
  effect.instance = instance.plan.id;
  effect.deadline = now + kRecheckDeadlineMs;
  decision.effects.push_back(std::move(effect));
}

// The floor says no: wait for capacity as long as the policy allows, then stop.
void starve(const State& state, const Census& census, const Instance& instance,
            const Permission& permission, TimeMs now, Decision& decision) {
  if (census.any(Trait::in_work)) return;
  const TimeMs end = last_progress(state, census) + state.plan.policy.capacity.wait_ms;
  if (untouched(census) || now >= end) {
    const std::string reason =
        "capacity: " + instance.plan.id.value + " would leave " + permission.reason;
    decision.records.push_back(
        Halted{reason, state.plan.changes_config && !untouched(census), untouched(census)});
    return;
  }
  decision.wake_at = std::min(decision.wake_at.value_or(end), end);
}

}  // namespace

std::vector<Event> rollout_records(const State& state, const Census& census) {
  std::vector<Event> records;
  start_records(state, census, records);
  if (!records.empty()) return records;
  gate_records(state, census, records);
  if (!records.empty()) return records;
  halt_records(state, census, records);
  if (!records.empty()) return records;
  rollback_records(state, census, records);
  return records;
}

namespace {

void ask_for_preflights(const State& state, const Census& census, TimeMs now, Decision& decision) {
  std::int64_t asked = census.count(Trait::asked);
  for (const std::size_t place : census.members(Trait::unasked)) {
    if (asked >= kMaxPreflights || state.halted) break;
    Effect effect;
    effect.kind = EffectKind::preflight;
    effect.instance = state.instances[place].plan.id;
    effect.deadline = now + kPreflightDeadlineMs;
    decision.effects.push_back(std::move(effect));
    ++asked;
  }
}

// The first in line; canaries before all others. Null: nobody's turn.
const Instance* first_in_line(const State& state, const Census& census) {
  const bool canaries_only = census.any(Trait::open_canary);
  if (canaries_only && !census.any(Trait::lined_canary)) return nullptr;
  for (const std::size_t place : census.members(Trait::lined_up)) {
    const Instance& instance = state.instances[place];
    if (!canaries_only || instance.plan.canary) return &instance;
  }
  return nullptr;
}

}  // namespace

void choose_next(const State& state, const Census& census, TimeMs now, Decision& decision) {
  ask_for_preflights(state, census, now, decision);
  if (state.halted || state.paused || !preflights_done(census)) return;
  if (census.any(Trait::unseen)) return;  // nobody leaves before it is known who serves
  const Instance* next = first_in_line(state, census);
  if (next == nullptr) return;
  const Instance& instance = *next;
  if (taken_by_someone_else(instance)) {
    decision.records.push_back(
        step_of(instance, PhaseName::skipped, "out of rotation by someone else's hand"));
    return;
  }
  const bool cleared = std::get<Preflight>(instance.phase).cleared;
  if (!cleared && census.count(Trait::in_work) >= state.plan.policy.capacity.at_once) return;
  if (another_zone_in_work(state, census, instance)) return;
  const Permission permission = may_take_out(state, census, instance);
  if (!permission.granted) {
    starve(state, census, instance, permission, now, decision);
  } else if (!cleared) {
    recheck_or_halt(census, instance, now, decision);
  } else {
    decision.records.push_back(step_of(instance, PhaseName::draining, permission.reason));
  }
}

void close_rollout(const State& state, const Census& census, TimeMs now, Decision& decision) {
  if (state.pending || state.ended) return;
  const std::int64_t ended =
      census.count(Trait::over) + (state.halted ? census.count(Trait::not_begun) : 0);
  const bool over = !census.any(Trait::pending) && ended == census.all();
  // Who is left out of rotation for good has its incident at once: the rollout may go on for long,
  // and its controller may die with nobody to resume it. What fails then is tried again at the end.
  if (!over && !census.any(Trait::quarantined)) return;
  const std::int64_t attempts = over ? kMaxIncidentAttempts : 1;
  const bool told = !state.incident.empty() || state.incident_attempts >= attempts;
  const bool tell = !told && needs_incident(state);
  if (!over && !tell) return;
  Effect effect;
  effect.kind = tell ? EffectKind::open_incident : EffectKind::finish;
  effect.result = verdict(state);
  effect.reason = why(state);
  effect.deadline = now + kRecheckDeadlineMs;
  decision.effects.push_back(std::move(effect));
}

}  // namespace hitless::core
