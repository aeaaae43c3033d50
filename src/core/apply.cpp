// The fold. One function per kind of event; each is total.
#include <algorithm>

#include "core/capacity.hpp"
#include "core/census.hpp"
#include "core/planted.hpp"
#include "core/recovery.hpp"
#include "core/state.hpp"
#include "core/traffic.hpp"
#include "core/transitions.hpp"

namespace hitless::core {
namespace {

constexpr std::size_t kMaxSamples = 4096;  // drain samples kept per instance
constexpr std::size_t kMaxLatencies = 1024;

// What is folded into. Without a census everything is looked for.
struct Into {
  State& state;
  Census* census = nullptr;

  [[nodiscard]] Instance* find(const InstanceId& id) const {
    if (census != nullptr) {
      const auto place = census->place_of(id);
      return place ? &state.instances[*place] : nullptr;
    }
    for (Instance& instance : state.instances) {
      if (instance.plan.id == id) return &instance;
    }
    return nullptr;
  }
  [[nodiscard]] Instance* holder_of(const std::string& effect) const {
    if (census != nullptr) {
      const auto place = census->holder_of(effect);
      return place ? &state.instances[*place] : nullptr;
    }
    for (Instance& instance : state.instances) {
      if (instance.pending && instance.pending->effect.id == effect) return &instance;
    }
    return nullptr;
  }
  void changed(const Instance* instance) const {
    if (census == nullptr || instance == nullptr) return;
    census->update(state, static_cast<std::size_t>(instance - state.instances.data()));
  }
  void changed_all() const {
    if (census != nullptr) *census = Census(state);
  }
  [[nodiscard]] std::int64_t others_requests(const Instance& self) const {
    return census != nullptr ? census->others_requests(self)
                             : others_total(self, &TargetReading::requests);
  }
  [[nodiscard]] std::int64_t others_errors(const Instance& self) const {
    return census != nullptr ? census->others_errors(self)
                             : others_total(self, &TargetReading::errors);
  }

 private:
  [[nodiscard]] std::int64_t others_total(
      const Instance& self, std::optional<std::int64_t> TargetReading::* field) const {
    std::int64_t sum = 0;
    for (const Instance& other : state.instances) {
      if (&other != &self && other.reading) sum += ((*other.reading).*field).value_or(0);
    }
    return sum;
  }
};

void start(State& state, const RolloutStarted& event, TimeMs at) {
  if (!state.instances.empty() || state.started_at != 0) return;  // repeated
  state.plan = event.plan;
  state.actor = event.actor;
  state.epoch = event.epoch;
  state.started_at = at;
  for (const InstancePlan& plan : event.plan.instances) {
    Instance instance;
    instance.plan = plan;
    state.instances.push_back(std::move(instance));
  }
}

// From the moment of the intent on the effect may have happened, so what it may have changed is
// marked here and not at the outcome.
void intend(const Into& into, const EffectIntended& event, TimeMs at) {
  State& state = into.state;
  const Effect& effect = event.effect;
  if (effect.epoch < state.epoch) return;  // of a controller that no longer may (rule I4)
  ++state.next_effect;
  if (effect.kind == EffectKind::open_incident || effect.kind == EffectKind::finish) {
    state.pending.emplace(effect, at);
    return;
  }
  Instance* instance = into.find(effect.instance);
  if (instance == nullptr) return;
  instance->pending.emplace(effect, at);
  switch (effect.kind) {
    case EffectKind::drain:
      instance->taken_out = true;
      if (auto* draining = std::get_if<Draining>(&instance->phase)) {
        if (draining->commanded) ++draining->reasserted;
        draining->commanded = false;
        draining->quiet_since.reset();
        draining->out_since.reset();
      }
      break;
    case EffectKind::install_config:
      if (effect.direction == Direction::forward) instance->config_touched = true;
      break;
    case EffectKind::act:
      instance->acted = true;
      instance->reboots += effect.action == Action::reboot ? 1 : 0;
      break;
    default:
      break;
  }
  into.changed(instance);
}

// A draining instance counts as quiet only while every reading says so; unknown breaks the window.
void update_quiet(const State& state, Draining& draining, const TargetReading& reading, TimeMs at) {
  const bool out = reading.state == TargetState::out || reading.state == TargetState::draining;
  if (!out || !draining.commanded) {
    draining.out_since.reset();
  } else if (!draining.out_since) {
    draining.out_since = at;
  }
  const auto count = in_flight(reading, state.plan.policy.drain.host_count);
  if (reading.state != TargetState::out || count != 0 || !draining.commanded) {
    draining.quiet_since.reset();
    draining.confirmed = false;
  } else if (!draining.quiet_since) {
    draining.quiet_since = at;
  }
}

// What happened at it before now is not held against it.
void count_from_here(const Into& into, const Instance& instance, Soaking& soaking) {
  if (instance.reading) {
    soaking.epoch = instance.reading->epoch;
    soaking.requests_at = instance.reading->requests.value_or(0);
    soaking.errors_at = instance.reading->errors.value_or(0);
  }
  soaking.others_requests_at = into.others_requests(instance);
  soaking.others_errors_at = into.others_errors(instance);
}

void see_back(const Into& into, const Instance& instance, Rejoining& rejoining, TimeMs at) {
  const TargetReading& reading = *instance.reading;
  const bool unchecked =
      HITLESS_PLANTED(rejoin_without_check) && reading.state == TargetState::in_unhealthy;
  const bool back = rejoining.commanded && (reading.state == TargetState::in || unchecked);
  if (!back) {
    rejoining.in_since.reset();
    return;
  }
  if (!rejoining.in_since || rejoining.epoch != reading.epoch) {
    rejoining.in_since = at;
    rejoining.epoch = reading.epoch;
    rejoining.requests_at = reading.requests.value_or(0);
    rejoining.others_at = into.others_requests(instance);
  }
}

void finish_preflight(Instance& instance, const Outcome& outcome) {
  instance.report = outcome.preflight ? *outcome.preflight : PreflightReport{};
  if (outcome.status != OutcomeStatus::ok) {
    Check check{"Preflight", CheckStatus::unknown, outcome.detail, {}};
    if (outcome.status == OutcomeStatus::failed) check.status = CheckStatus::fail;
    instance.report->checks.push_back(std::move(check));
  }
  instance.before = instance.report->identity;
}

void finish_act(Instance& instance, Acting& acting, const Effect& effect, const Outcome& outcome) {
  acting.acted = outcome.status;
  acting.detail = outcome.detail;
  // A reboot that was refused did not happen, unless an earlier controller's did.
  const bool refused = outcome.status == OutcomeStatus::failed;
  if (refused && effect.action == Action::reboot && --instance.reboots == 0) instance.acted = false;
}

void finish_confirm_out(const State& state, Instance& instance, Draining& draining,
                        const Outcome& outcome, bool ok, TimeMs at) {
  const bool was_quiet = draining.quiet_since.has_value();
  if (outcome.reading) {  // the newest that is known
    instance.reading = outcome.reading;
    instance.reading_at = at;
    update_quiet(state, draining, *outcome.reading, at);
  }
  // A reading that came in while the last look was under way may have ended the quiet; that the
  // look itself saw nothing begins the next window and does not end it.
  draining.confirmed = ok && was_quiet && draining.quiet_since.has_value();
  draining.confirmed_by = outcome.detail;
  if (!ok && draining.quiet_since) draining.quiet_since = at;  // and watch for another window
  // Who ran before the reboot stays so, whatever became of it: with what runs now as its
  // condition it could happen a second time.
  if (ok && outcome.before && instance.reboots == 0) instance.before = *outcome.before;
}

void finish_in_phase(const State& state, Instance& instance, const Effect& effect,
                     const Outcome& outcome, TimeMs at) {
  // What a look saw is old when its controller slept in between: the load balancer may have
  // forgotten the drain, a watchdog may have fired.
  const bool looks = effect.kind == EffectKind::confirm_out || effect.kind == EffectKind::recheck;
  const bool ok = outcome.status == OutcomeStatus::ok && !(looks && at > effect.deadline);
  if (auto* preflight = std::get_if<Preflight>(&instance.phase)) {
    if (effect.kind == EffectKind::preflight) finish_preflight(instance, outcome);
    if (effect.kind == EffectKind::recheck) preflight->cleared = ok;
  } else if (auto* draining = std::get_if<Draining>(&instance.phase)) {
    if (effect.kind == EffectKind::drain) {
      draining->commanded = ok;
      draining->commanded_at = at;
      // What was seen before the answer is older than it, also within the same millisecond.
      instance.reading_at = std::min(instance.reading_at, at - 1);
      if (instance.reading) update_quiet(state, *draining, *instance.reading, at);
    }
    if (effect.kind == EffectKind::close_remaining) {
      if (ok) draining->closed_at = at;
    }
    if (effect.kind == EffectKind::confirm_out) {
      finish_confirm_out(state, instance, *draining, outcome, ok, at);
    }
  } else if (auto* acting = std::get_if<Acting>(&instance.phase)) {
    if (effect.kind == EffectKind::install_config) {
      acting->installed = ok;
      acting->looked_since = false;
      if (ok && effect.direction == Direction::backward) instance.config_restored = true;
      // Who runs now has not read what was installed. Who was seen before may be gone meanwhile,
      // and then a new process would prove nothing.
      if (ok && outcome.before && instance.reboots == 0) instance.before = *outcome.before;
    }
    if (effect.kind == EffectKind::act) finish_act(instance, *acting, effect, outcome);
  } else if (auto* verifying = std::get_if<Verifying>(&instance.phase)) {
    if (effect.kind == EffectKind::diagnose) {
      verifying->diagnosis = outcome.diagnosis.value_or(Diagnosis{});
    }
  } else if (auto* rejoining = std::get_if<Rejoining>(&instance.phase)) {
    if (effect.kind == EffectKind::recheck && ok) rejoining->checked_at = at;
    if (effect.kind == EffectKind::rejoin) {
      rejoining->commanded = ok;
      rejoining->in_since.reset();
      // It may serve from now on, whatever was seen before, and whatever came of the command.
      if (instance.reading) instance.reading->state = TargetState::unknown;
    }
  }
  if (ok) {
    instance.attempts = 0;
    instance.retry_at = 0;
    instance.last_error.clear();
  } else {
    ++instance.attempts;
    instance.retry_at =
        at + std::min<DurationMs>(
                 5'000, 100 * (DurationMs{1} << std::min<std::int64_t>(instance.attempts, 6)));
    instance.last_error = outcome.detail;
  }
}

void finish_effect(const Into& into, const EffectFinished& event, TimeMs at) {
  State& state = into.state;
  if (state.pending && state.pending->effect.id == event.effect_id) {
    const Effect effect = state.pending->effect;
    state.pending.reset();
    if (effect.kind == EffectKind::open_incident) {
      ++state.incident_attempts;
      if (event.outcome.status == OutcomeStatus::ok) state.incident = event.outcome.incident;
    } else {
      state.ended = effect.result;
      state.ended_at = at;
    }
    return;
  }
  Instance* instance = into.holder_of(event.effect_id);
  if (instance == nullptr) return;
  finish_in_phase(state, *instance, instance->pending->effect, event.outcome, at);
  instance->pending.reset();
  into.changed(instance);
}

void see_draining(const State& state, Draining& draining, const TargetReading& reading,
                  bool same_lb, TimeMs at) {
  const auto count = in_flight(reading, state.plan.policy.drain.host_count);
  if (count && draining.samples.size() < kMaxSamples &&
      (draining.samples.empty() || draining.samples.back() != *count)) {
    draining.samples.push_back(*count);
  }
  if (!same_lb) {
    draining.quiet_since.reset();
    draining.out_since.reset();
  }
  update_quiet(state, draining, reading, at);
}

// Who comes back, or just has: what a reading says of the others counts for them as well.
void see_back_soon(const Into& into, Instance& instance, TimeMs at) {
  if (!instance.reading) return;
  if (auto* rejoining = std::get_if<Rejoining>(&instance.phase)) {
    see_back(into, instance, *rejoining, at);
  } else if (auto* soaking = std::get_if<Soaking>(&instance.phase)) {
    // Some node's counters began anew; the others' did not. Count from here.
    if (soaking->epoch != instance.reading->epoch) count_from_here(into, instance, *soaking);
  }
}

// The fewest that were seen to serve, counted only while every instance is seen well.
void note_lowest(const Into& into) {
  State& state = into.state;
  const bool badly = into.census != nullptr
                         ? into.census->any(Trait::badly_seen)
                         : std::any_of(state.instances.begin(), state.instances.end(), badly_seen);
  if (badly) return;
  const std::int64_t now = into.census != nullptr ? serving(*into.census) : serving(state);
  if (state.lowest_serving < 0 || now < state.lowest_serving) state.lowest_serving = now;
}

void see_traffic(const Into& into, const TrafficSeen& event, TimeMs at) {
  State& state = into.state;
  for (const auto& [id, reading] : event.readings) {
    Instance* instance = into.find(id);
    if (instance == nullptr) continue;
    const bool same_lb = !instance->reading || instance->reading->epoch == reading.epoch;
    instance->reading = reading;
    instance->reading_at = at;
    instance->seen_in |=
        reading.state == TargetState::in || reading.state == TargetState::in_unhealthy;
    if (auto* draining = std::get_if<Draining>(&instance->phase)) {
      see_draining(state, *draining, reading, same_lb, at);
      instance->drain_samples = draining->samples;
    } else if (auto* acting = std::get_if<Acting>(&instance->phase)) {
      acting->looked_since = acting->installed;
    }
    into.changed(instance);
  }
  if (into.census != nullptr) {
    for (const std::size_t place : into.census->members(Trait::back_soon))
      see_back_soon(into, state.instances[place], at);
  } else {
    for (Instance& instance : state.instances) see_back_soon(into, instance, at);
  }
  note_lowest(into);
}

void see_service(const Into& into, const ServiceSeen& event, TimeMs at) {
  Instance* instance = into.find(event.instance);
  auto* verifying = instance ? std::get_if<Verifying>(&instance->phase) : nullptr;
  if (verifying == nullptr) return;
  const ServiceReading& reading = event.reading;
  const bool same_process = verifying->service &&
                            verifying->service->now.main_pid == reading.now.main_pid &&
                            verifying->service->now.start_time == reading.now.start_time;
  const bool taken_for_proof =
      HITLESS_PLANTED(unproven_is_proven) && reading.verdict == ServiceVerdict::indeterminate;
  if (reading.verdict != ServiceVerdict::proven && !taken_for_proof) {
    verifying->proven_since.reset();
  } else if (!verifying->proven_since || !same_process) {
    verifying->proven_since = at;
    // What answered until now may have been what ran before; only what runs now is judged.
    verifying->passes = 0;
    verifying->fails = 0;
    verifying->latencies_us.clear();
  }
  if (reading.verdict != ServiceVerdict::down) {
    verifying->down_since.reset();
  } else if (!verifying->down_since) {
    verifying->down_since = at;
  }
  verifying->service = reading;
  instance->proof = reading.evidence;
}

void see_health(const Into& into, const HealthSeen& event) {
  Instance* instance = into.find(event.instance);
  if (instance == nullptr) return;
  const HealthReading& reading = event.reading;
  if (auto* verifying = std::get_if<Verifying>(&instance->phase)) {
    ++verifying->probes;
    verifying->last_health = reading.evidence;
    const bool passes =
        reading.status == HealthStatus::pass ||
        (HITLESS_PLANTED(unknown_health_passes) && reading.status == HealthStatus::unknown);
    verifying->passes = passes ? verifying->passes + 1 : 0;
    verifying->fails = reading.status == HealthStatus::fail ? verifying->fails + 1 : 0;
    if (passes) {
      auto& latencies = verifying->latencies_us;
      if (latencies.size() >= kMaxLatencies) latencies.erase(latencies.begin());
      latencies.push_back(reading.latency_us);
    }
  } else if (auto* soaking = std::get_if<Soaking>(&instance->phase)) {
    soaking->last_health = reading.evidence;
    if (reading.status == HealthStatus::fail) ++soaking->fails;
    if (reading.status == HealthStatus::pass) {  // no answer proves neither
      soaking->fails = 0;
      soaking->unproven = false;
    }
    soaking->doubted |= soaking->fails > 0;
    into.changed(instance);
  }
}

Phase fresh_phase(const Into& into, const Instance& instance, const Advanced& event, TimeMs at) {
  switch (event.to) {
    case PhaseName::waiting:
      return Waiting{};
    case PhaseName::preflight:
      return Preflight{at, false};
    case PhaseName::draining: {
      Draining draining;
      draining.since = at;
      return draining;
    }
    case PhaseName::drained:
      return Drained{at};
    case PhaseName::acting: {
      Acting acting;
      acting.since = at;
      return acting;
    }
    case PhaseName::verifying: {
      Verifying verifying;
      verifying.since = at;
      const auto* acting = std::get_if<Acting>(&instance.phase);
      verifying.orphaned = acting != nullptr && acting->orphaned;
      return verifying;
    }
    case PhaseName::rejoining: {
      Rejoining rejoining;
      rejoining.since = at;
      return rejoining;
    }
    case PhaseName::soaking: {
      Soaking soaking;
      soaking.since = at;
      count_from_here(into, instance, soaking);
      // It may be put back as it was, or have died since it was verified. Where no check of the
      // load balancer's would keep it out, it serves once our own has passed.
      soaking.unproven = into.state.plan.policy.verify.health && instance.reading &&
                         instance.reading->check == LbCheck::none;
      return soaking;
    }
    case PhaseName::rolling_back:
      return RollingBack{at};
    case PhaseName::done:
      return Done{};
    case PhaseName::rolled_back:
      return RolledBack{};
    case PhaseName::quarantined:
      return Quarantined{event.reason};
    case PhaseName::skipped:
      return Skipped{event.reason};
  }
  return Waiting{};
}

void note_phase_end(Instance& instance, TimeMs at) {
  if (const auto* draining = std::get_if<Draining>(&instance.phase)) {
    instance.drain_ms = at - draining->since;
  } else if (const auto* verifying = std::get_if<Verifying>(&instance.phase)) {
    instance.died = verifying->service && (verifying->service->verdict == ServiceVerdict::down ||
                                           verifying->service->verdict == ServiceVerdict::flapping);
    std::vector<std::int64_t> sorted = verifying->latencies_us;
    if (!sorted.empty()) {
      std::sort(sorted.begin(), sorted.end());
      instance.median_us = sorted[sorted.size() / 2];
      instance.p95_us = sorted[(sorted.size() * 95) / 100];
    }
  }
}

void advance(const Into& into, const Advanced& event, TimeMs at) {
  Instance* instance = into.find(event.instance);
  if (instance == nullptr || name_of(instance->phase) != event.from) return;
  if (!may_follow(event.from, event.to)) return;
  note_phase_end(*instance, at);
  if (event.to == PhaseName::draining && instance->started_at == 0) instance->started_at = at;
  if (event.to == PhaseName::rolling_back) {
    // Once everything goes back, an instance that goes back with the others did not fail itself.
    if (event.from != PhaseName::done && !into.state.roll_back_all) {
      instance->failed = true;
      instance->failed_in = event.from;
      instance->failure = event.reason;
    }
    instance->direction = Direction::backward;
  }
  if (event.to == PhaseName::quarantined && instance->failure.empty()) {
    instance->failed = true;
    instance->failed_in = event.from;
    instance->failure = event.reason;
  }
  if (event.to == PhaseName::done) instance->taken_out = false;     // seen back in, and kept
  if (event.to == PhaseName::skipped) instance->taken_out = false;  // out, and not by us
  if (event.to == PhaseName::soaking) {
    instance->taken_out = false;
    instance->back_ms = at - instance->started_at;
  }
  instance->attempts = 0;
  instance->retry_at = 0;
  instance->phase = fresh_phase(into, *instance, event, at);
  if (is_terminal(*instance)) instance->ended_at = at;
  into.changed(instance);
}

void halt(State& state, const Halted& event) {
  state.halted = true;
  state.roll_back_all |= event.roll_back;
  state.blocked |= event.blocked;
  if (state.halt_reason.empty()) state.halt_reason = event.reason;
  for (Instance& instance : state.instances) {  // nobody's turn comes any more
    if (auto* preflight = std::get_if<Preflight>(&instance.phase)) preflight->cleared = false;
  }
}

void ask(State& state, const OperatorAsked& event) {
  switch (event.wish) {
    case OperatorWish::stop:
      state.stop_asked = true;
      break;
    case OperatorWish::abort:
      state.abort_asked = true;
      break;
    case OperatorWish::pause:
      state.paused = true;
      break;
    case OperatorWish::resume:
      state.paused = false;
      break;
    case OperatorWish::force_drain:
      state.force_drain = true;
      break;
  }
}

}  // namespace

namespace {

// What changes many instances at once is rare; the census is taken anew after it.
void fold(const Into& into, const Event& event, TimeMs at) {
  State& state = into.state;
  state.now = std::max(state.now, at);
  struct Visitor {
    const Into& into;
    State& state;
    TimeMs at;
    void operator()(const RolloutStarted& e) const { start(state, e, at), into.changed_all(); }
    void operator()(const EffectIntended& e) const { intend(into, e, at); }
    void operator()(const EffectFinished& e) const { finish_effect(into, e, at); }
    void operator()(const TrafficSeen& e) const { see_traffic(into, e, at); }
    void operator()(const ServiceSeen& e) const { see_service(into, e, at); }
    void operator()(const HealthSeen& e) const { see_health(into, e); }
    void operator()(const Advanced& e) const { advance(into, e, at); }
    void operator()(const Halted& e) const { halt(state, e), into.changed_all(); }
    void operator()(const OperatorAsked& e) const { ask(state, e); }
    void operator()(const ControllerTookOver& e) const {
      take_over(state, e, at), into.changed_all();
    }
    void operator()(const Noted&) const {}
  };
  std::visit(Visitor{into, state, at}, event);
}

}  // namespace

void apply_to(State& state, const Event& event, TimeMs at) {
  fold(Into{state}, event, at);
}

void apply_to(State& state, Census& census, const Event& event, TimeMs at) {
  fold(Into{state, &census}, event, at);
}

State apply(State state, const Event& event, TimeMs at) {
  apply_to(state, event, at);
  return state;
}

}  // namespace hitless::core
