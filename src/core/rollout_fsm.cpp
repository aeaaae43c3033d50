#include "core/rollout_fsm.hpp"

#include <algorithm>

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

bool preflights_done(const State& state) {
  return std::all_of(state.instances.begin(), state.instances.end(), [](const Instance& i) {
    return i.report.has_value() || !i.plan.skip_reason.empty();
  });
}

bool untouched(const State& state) {
  return std::none_of(state.instances.begin(), state.instances.end(),
                      [](const Instance& i) { return i.taken_out || i.acted || i.config_touched; });
}

bool any_quarantined(const State& state) {
  return std::any_of(state.instances.begin(), state.instances.end(),
                     [](const Instance& i) { return is(i, PhaseName::quarantined); });
}

void start_records(const State& state, std::vector<Event>& records) {
  for (const Instance& instance : state.instances) {
    if (!is(instance, PhaseName::waiting)) continue;
    if (!instance.plan.skip_reason.empty()) {
      records.push_back(step_of(instance, PhaseName::skipped, instance.plan.skip_reason));
    } else {
      records.push_back(step_of(instance, PhaseName::preflight, ""));
    }
  }
}

void gate_records(const State& state, std::vector<Event>& records) {
  if (state.halted || !untouched(state) || !preflights_done(state)) return;
  if (const std::string blocking = blocking_check(state); !blocking.empty()) {
    records.push_back(Halted{blocking, false, true});
    return;
  }
  for (const Instance& instance : state.instances) {
    if (is(instance, PhaseName::preflight) && instance.report &&
        !instance.report->skip_reason.empty()) {
      records.push_back(step_of(instance, PhaseName::skipped, instance.report->skip_reason));
    }
  }
}

void halt_records(const State& state, std::vector<Event>& records) {
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
  for (const Instance& instance : state.instances) {
    if (!instance.failed) continue;
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
void rollback_records(const State& state, std::vector<Event>& records) {
  if (!state.halted || !state.roll_back_all) return;
  for (const Instance& instance : state.instances) {
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

bool canary_pending(const State& state, const Instance& candidate) {
  return std::any_of(state.instances.begin(), state.instances.end(), [&](const Instance& other) {
    return other.plan.canary && &other != &candidate && !is_terminal(other);
  });
}

void recheck_or_halt(const State& state, const Instance& instance, TimeMs now, Decision& decision) {
  if (instance.attempts >= kMaxRecheckAttempts) {
    const std::string reason = instance.plan.id.value + ": " + instance.last_error;
    decision.records.push_back(Halted{reason, false, untouched(state)});
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
void starve(const State& state, const Instance& instance, const Permission& permission, TimeMs now,
            Decision& decision) {
  const bool others_work = std::any_of(state.instances.begin(), state.instances.end(), in_work);
  if (others_work) return;
  const TimeMs end = last_progress(state) + state.plan.policy.capacity.wait_ms;
  if (untouched(state) || now >= end) {
    const std::string reason =
        "capacity: " + instance.plan.id.value + " would leave " + permission.reason;
    decision.records.push_back(
        Halted{reason, state.plan.changes_config && !untouched(state), untouched(state)});
    return;
  }
  decision.wake_at = std::min(decision.wake_at.value_or(end), end);
}

}  // namespace

std::vector<Event> rollout_records(const State& state) {
  std::vector<Event> records;
  start_records(state, records);
  if (!records.empty()) return records;
  gate_records(state, records);
  if (!records.empty()) return records;
  halt_records(state, records);
  if (!records.empty()) return records;
  rollback_records(state, records);
  return records;
}

void choose_next(const State& state, TimeMs now, Decision& decision) {
  std::int64_t asked = std::count_if(
      state.instances.begin(), state.instances.end(),
      [](const Instance& i) { return is(i, PhaseName::preflight) && !i.report && i.pending; });
  for (const Instance& instance : state.instances) {
    if (asked >= kMaxPreflights || state.halted) break;
    if (!is(instance, PhaseName::preflight) || instance.report || instance.pending) continue;
    Effect effect;
    effect.kind = EffectKind::preflight;
    effect.instance = instance.plan.id;
    effect.deadline = now + kPreflightDeadlineMs;
    decision.effects.push_back(std::move(effect));
    ++asked;
  }
  if (state.halted || state.paused || !preflights_done(state)) return;
  const bool all_seen = std::all_of(state.instances.begin(), state.instances.end(),
                                    [](const Instance& i) { return i.reading.has_value(); });
  if (!all_seen) return;  // nobody leaves before it is known who serves
  std::int64_t working = std::count_if(state.instances.begin(), state.instances.end(), in_work);
  for (const Instance& instance : state.instances) {
    const auto* preflight = std::get_if<Preflight>(&instance.phase);
    if (preflight == nullptr || instance.pending) continue;
    if (canary_pending(state, instance) && !instance.plan.canary) continue;
    if (taken_by_someone_else(instance)) {
      decision.records.push_back(
          step_of(instance, PhaseName::skipped, "out of rotation by someone else's hand"));
      return;
    }
    if (!preflight->cleared && working >= state.plan.policy.capacity.at_once) return;
    if (another_zone_in_work(state, instance)) return;
    const Permission permission = may_take_out(state, instance);
    if (!permission.granted) {
      starve(state, instance, permission, now, decision);
      return;
    }
    if (!preflight->cleared) {
      recheck_or_halt(state, instance, now, decision);
    } else {
      decision.records.push_back(step_of(instance, PhaseName::draining, permission.reason));
    }
    return;
  }
}

void close_rollout(const State& state, TimeMs now, Decision& decision) {
  if (state.pending || state.ended) return;
  const bool over =
      std::all_of(state.instances.begin(), state.instances.end(), [&](const Instance& i) {
        if (i.pending) return false;
        if (is_terminal(i)) return true;
        return state.halted && (is(i, PhaseName::waiting) || is(i, PhaseName::preflight));
      });
  // Who is left out of rotation for good has its incident at once: the rollout may go on for long,
  // and its controller may die with nobody to resume it. What fails then is tried again at the end.
  const std::int64_t attempts = over ? kMaxIncidentAttempts : 1;
  const bool told = !state.incident.empty() || state.incident_attempts >= attempts;
  const bool tell = needs_incident(state) && !told;
  if (!over && !(tell && any_quarantined(state))) return;
  Effect effect;
  effect.kind = tell ? EffectKind::open_incident : EffectKind::finish;
  effect.result = verdict(state);
  effect.reason = why(state);
  effect.deadline = now + kRecheckDeadlineMs;
  decision.effects.push_back(std::move(effect));
}

}  // namespace hitless::core
