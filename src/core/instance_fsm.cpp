#include "core/instance_fsm.hpp"

#include <algorithm>

#include "core/capacity.hpp"
#include "core/names.hpp"
#include "core/planted.hpp"
#include "core/traffic.hpp"
#include "core/verify.hpp"

namespace hitless::core {
namespace {

constexpr std::int64_t kMaxReasserts = 20;   // an LB that forgets more often is broken
constexpr std::int64_t kMaxAttempts = 3;     // of an effect that does not depend on time passing
constexpr DurationMs kCloseGraceMs = 5'000;  // after the remaining work was cut off
constexpr DurationMs kEffectDeadlineMs = 30'000;  // LB commands and looks; act has its own
// A look at its health is good enough for so long before it goes back.
constexpr DurationMs kVerifiedForMs = 2'000;

Step advance_to(const Instance& instance, PhaseName to, std::string reason) {
  Step step;
  step.advance = Advanced{instance.plan.id, name_of(instance.phase), to, std::move(reason)};
  return step;
}

Step want(EffectKind kind, TimeMs deadline) {
  Step step;
  step.effect = Effect{};
  step.effect->kind = kind;
  step.effect->deadline = deadline;
  return step;
}

Step wait_until(TimeMs at) {
  Step step;
  step.wake_at = at;
  return step;
}

// From a reboot there is no way back: what did not come back well stays out.
bool rebooted(const Instance& instance, PhaseName phase) {
  const bool out = phase == PhaseName::acting || phase == PhaseName::verifying ||
                   phase == PhaseName::draining || phase == PhaseName::drained;
  return instance.reboots > 0 && out;
}

// Forward, a failure starts the rollback; backward, there is nothing left to try, so the instance
// stays out of rotation and a human is told.
Step give_up(const Instance& instance, std::string reason) {
  const bool forward =
      instance.direction == Direction::forward && !rebooted(instance, name_of(instance.phase));
  return advance_to(instance, forward ? PhaseName::rolling_back : PhaseName::quarantined,
                    std::move(reason));
}

std::string seconds(DurationMs ms) {
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::string last_error(const Instance& instance) {
  return instance.last_error.empty() ? std::string() : ": " + instance.last_error;
}

// ---- draining -----------------------------------------------------------------------------------
bool lb_forgot(const Instance& instance, const Draining& draining) {
  if (HITLESS_PLANTED(forgotten_drain_ignored)) return false;
  if (!instance.reading || instance.reading_at < draining.commanded_at) return false;
  const TargetState state = instance.reading->state;
  return state == TargetState::in || state == TargetState::in_unhealthy ||
         state == TargetState::leaving;
}

Step drain_deadline(const State& state, const Instance& instance, const Draining& draining,
                    TimeMs now) {
  const DrainPolicy& policy = state.plan.policy.drain;
  const OnDrainDeadline rule = state.force_drain ? OnDrainDeadline::force : policy.on_deadline;
  std::string left = "an unknown number";
  if (instance.reading) {
    if (const auto count = in_flight(*instance.reading, policy.host_count))
      left = std::to_string(*count);
    if (instance.reading->in_flight && instance.reading->host_connections) {
      left += " (load balancer " + std::to_string(*instance.reading->in_flight) + ", host " +
              std::to_string(*instance.reading->host_connections) + ")";
    }
  }
  const std::string reason = "drain deadline " + seconds(policy.deadline_ms) + ": " + left +
                             " still in flight" + last_error(instance);
  if (rule == OnDrainDeadline::wait) return {};
  if (rule == OnDrainDeadline::force && draining.commanded) {
    if (!draining.closed_at) {
      if (instance.attempts >= kMaxAttempts) return give_up(instance, reason);
      if (now < instance.retry_at) return wait_until(instance.retry_at);
      return want(EffectKind::close_remaining, now + kEffectDeadlineMs);
    }
    const TimeMs end = *draining.closed_at + kCloseGraceMs;
    if (now < end) return wait_until(end);
  }
  return give_up(instance, reason);
}

// It may have come back behind our back (the load balancer reloaded, a dying controller put it
// back) and be needed by now: then it leaves under the floor like any other.
bool may_leave_again(const State& state, const Census& census, const Instance& instance,
                     const Draining& draining) {
  // The first time permission was just asked, for its turn; a takeover since then voids it.
  if (!instance.taken_out && draining.since > state.taken_over_at) return true;
  if (!instance.reading) return false;  // after a takeover: nobody has looked yet
  const FloorCount tightest = tightest_floor(state, census, instance.plan.id);
  return !may_serve(instance) || tightest.serving >= tightest.floor;
}

Step step_draining(const State& state, const Census& census, const Instance& instance,
                   const Draining& draining, TimeMs now) {
  const DrainPolicy& policy = state.plan.policy.drain;
  // Its turn was decided by a controller that died; before its drain was on its way, or somebody
  // put it in maint since. Nothing was done to it.
  const bool untouched = !instance.acted && !instance.config_touched;
  const bool by_hand = !draining.commanded && untouched && instance.reading &&
                       instance.reading->by_hand && !HITLESS_PLANTED(takes_over_foreign);
  if (instance.direction == Direction::forward && (taken_by_someone_else(instance) || by_hand))
    return advance_to(instance, PhaseName::skipped, "out of rotation by someone else's hand");
  if (draining.confirmed) {
    return advance_to(instance, PhaseName::drained,
                      render_samples(draining.samples) + ", " + draining.confirmed_by);
  }
  const TimeMs end = draining.since + policy.deadline_ms;
  const bool over = now >= end || (state.force_drain && draining.commanded);
  if (over) {
    Step step = drain_deadline(state, instance, draining, now);
    if (step.advance || step.effect) return step;  // otherwise it may still come to rest
  }
  if (!draining.commanded || lb_forgot(instance, draining)) {
    if (draining.reasserted > kMaxReasserts) {
      return give_up(instance, "the load balancer forgot the drain " +
                                   std::to_string(kMaxReasserts) + " times");
    }
    if (now < instance.retry_at)
      return wait_until(std::min(instance.retry_at, over ? instance.retry_at : end));
    if (!may_leave_again(state, census, instance, draining)) {
      const TimeMs patience =
          draining.since + std::max(policy.deadline_ms, state.plan.policy.capacity.wait_ms);
      if (now < patience) return wait_until(patience);
      return give_up(instance, "back in rotation, and the floor does not let it leave again");
    }
    Step step = want(EffectKind::drain, now + kEffectDeadlineMs);
    if (draining.commanded)
      step.effect->reason = "the load balancer forgot the drain (reloaded?): re-applied";
    return step;
  }
  if (draining.quiet_since) {
    const TimeMs settled = draining.out_since.value_or(now) + policy.settle_ms;
    const TimeMs quiet = std::max(*draining.quiet_since + policy.quiet_ms, settled);
    if (now >= quiet) {
      return now >= instance.retry_at ? want(EffectKind::confirm_out, now + kEffectDeadlineMs)
                                      : wait_until(instance.retry_at);
    }
    return wait_until(quiet);
  }
  return wait_until(over ? now + kCloseGraceMs : end);
}

// ---- acting -------------------------------------------------------------------------------------
Step step_acting(const State& state, const Instance& instance, const Acting& acting, TimeMs now) {
  const bool backward = instance.direction == Direction::backward;
  if (backward && instance.reboots > 0) {
    return advance_to(instance, PhaseName::quarantined,
                      "there is no way back from a reboot: " + instance.failure);
  }
  const bool needs_install = backward ? instance.config_touched : state.plan.changes_config;
  const bool out = (instance.reading && instance.reading->state == TargetState::out) ||
                   HITLESS_PLANTED(act_without_precondition);
  if (needs_install && !acting.installed) {
    if (!out && state.plan.intent == Intent::patch) {  // installing may restart what is there
      return advance_to(instance, PhaseName::draining, "no longer out of rotation: draining again");
    }
    if (instance.attempts >= kMaxAttempts) {
      return give_up(instance, std::string(backward ? "previous" : "new") +
                                   " configuration could not be installed" + last_error(instance));
    }
    if (now < instance.retry_at) return wait_until(instance.retry_at);
    return want(EffectKind::install_config, now + state.plan.install_ms);
  }
  if (!acting.acted) {
    // Rule I2, by what is seen now and not by what was seen when the drain ended: installing took
    // time.
    if (needs_install && !acting.looked_since) return {};
    if (!out) {
      return advance_to(instance, PhaseName::draining, "no longer out of rotation: draining again");
    }
    Step step = want(EffectKind::act, now + state.plan.policy.verify.deadline_ms);
    step.effect->action = action_for(state, instance);
    step.effect->expected = instance.before;
    return step;
  }
  const std::string what(to_string(action_for(state, instance)));
  switch (*acting.acted) {
    case OutcomeStatus::ok:
      return advance_to(instance, PhaseName::verifying, acting.detail);
    case OutcomeStatus::unknown:
      return advance_to(instance, PhaseName::verifying,
                        "outcome of the " + what + " unknown, observing: " + acting.detail);
    case OutcomeStatus::failed:
      break;
  }
  return give_up(instance, what + " failed: " + acting.detail);
}

// ---- verifying ----------------------------------------------------------------------------------
Step step_verifying(const State& state, const Instance& instance, const Verifying& verifying,
                    TimeMs now) {
  const Judgement judgement = judge(state, instance, verifying, now);
  switch (judgement.kind) {
    case Judgement::Kind::wait:
      return wait_until(judgement.again_at);
    case Judgement::Kind::pass:
      return advance_to(instance, PhaseName::rejoining, judgement.reason);
    case Judgement::Kind::never_happened:
      return advance_to(instance, PhaseName::draining,
                        "the " + std::string(to_string(action_for(state, instance))) +
                            " of the controller that is gone never happened: " + judgement.reason);
    case Judgement::Kind::fail:
      break;
  }
  // Before the instance is blamed: is something down that old and new alike depend on?
  if (!judgement.service_fault && !verifying.diagnosis)
    return want(EffectKind::diagnose, now + kEffectDeadlineMs);
  if (verifying.diagnosis && !judgement.service_fault) {
    const Diagnosis& d = *verifying.diagnosis;
    if (!d.dependency_down.empty() && d.peers_failing == d.peers_checked) {
      return advance_to(instance, PhaseName::quarantined,
                        "dependency " + d.dependency_down + " is down for old and new alike (" +
                            std::to_string(d.peers_failing) + " of " +
                            std::to_string(d.peers_checked) +
                            " unchanged instances fail too): not rolled back. " + judgement.reason);
    }
  }
  return give_up(instance, judgement.reason);
}

// ---- rejoining and soaking
// ------------------------------------------------------------------------
bool lb_check_passes(const Instance& instance) {
  if (HITLESS_PLANTED(rejoin_without_check)) return true;
  return instance.reading &&
         (instance.reading->check == LbCheck::pass || instance.reading->check == LbCheck::none);
}

std::string requests(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " request" : " requests");
}

Step step_back_in(const State& state, const Census& census, const Instance& instance,
                  const Rejoining& rejoining, TimeMs now) {
  const std::int64_t mine = instance.reading->requests.value_or(0) - rejoining.requests_at;
  if (mine > 0) {
    return advance_to(instance, PhaseName::soaking, "live traffic: " + requests(mine));
  }
  const TimeMs end = *rejoining.in_since + state.plan.policy.rejoin.traffic_wait_ms;
  if (now < end) return wait_until(end);
  const std::int64_t others = census.others_requests(instance) - rejoining.others_at;
  const auto peers = static_cast<std::int64_t>(state.instances.size()) - 1;
  constexpr std::int64_t kFairShare =
      20;  // requests per peer after which its own zero is no accident
  // Where its own are not counted, none of them is no sign.
  if (peers > 0 && others > kFairShare * peers && instance.reading->requests) {
    return give_up(instance, "back in rotation, but the load balancer sent it none of " +
                                 std::to_string(others) + " requests");
  }
  const std::string waited = seconds(state.plan.policy.rejoin.traffic_wait_ms);
  return advance_to(instance, PhaseName::soaking,
                    instance.reading->requests
                        ? "no client traffic to be seen anywhere for " + waited
                        : "in rotation for " + waited + ", its requests are not counted");
}

Step step_rejoining(const State& state, const Census& census, const Instance& instance,
                    const Rejoining& rejoining, TimeMs now) {
  const TimeMs end = rejoining.since + state.plan.policy.rejoin.deadline_ms;
  if (rejoining.in_since && instance.reading)
    return step_back_in(state, census, instance, rejoining, now);
  if (now >= end) {
    const std::string seen =
        instance.reading ? std::string(to_string(instance.reading->state)) : "nothing";
    return give_up(instance, "not back in rotation after " +
                                 seconds(state.plan.policy.rejoin.deadline_ms) +
                                 " (load balancer: " + seen + ", check " +
                                 (lb_check_passes(instance) ? "passes" : "does not pass") + ")" +
                                 last_error(instance));
  }
  if (!rejoining.commanded && lb_check_passes(instance)) {
    if (now < instance.retry_at) return wait_until(std::min(end, instance.retry_at));
    // Not right after it was verified: we look again whether it is well. A check of the load
    // balancer's would keep it out, unless it lies by then (it fails open); where there is none we
    // look before each further try. A look that says so sets `attempts` to 0.
    const bool late = now > std::max(rejoining.since, rejoining.checked_at) + kVerifiedForMs;
    const bool again =
        instance.reading && instance.reading->check == LbCheck::none && instance.attempts > 0;
    if (instance.acted && state.plan.policy.verify.health && (late || again))
      return want(EffectKind::recheck, std::min(end, now + kEffectDeadlineMs));
    return want(EffectKind::rejoin, now + kEffectDeadlineMs);
  }
  return wait_until(end);
}

Step step_soaking(const State& state, const Instance& instance, const Soaking& soaking,
                  TimeMs now) {
  const RejoinPolicy& policy = state.plan.policy.rejoin;
  const TimeMs end = soaking.since + policy.soak_ms;
  if (const std::string trouble = soak_trouble(state, instance, soaking); !trouble.empty()) {
    return give_up(instance, trouble);
  }
  if (now < end) return wait_until(end);
  const bool in = instance.reading && (instance.reading->state == TargetState::in ||
                                       HITLESS_PLANTED(rejoin_without_check));
  // Rule I12: what failed last is not well until a check has passed again.
  const bool failing = state.plan.policy.verify.health && soaking.fails > 0;
  if (!in || failing) {
    const TimeMs limit = soaking.since + std::max(policy.soak_ms, policy.deadline_ms);
    if (now < limit) return wait_until(limit);
    return give_up(instance, in ? "in rotation but unhealthy: " + soaking.last_health
                                : "fell out of rotation while it took traffic");
  }
  const bool forward = instance.direction == Direction::forward;
  // Where nobody counts, "no new errors" would be a claim.
  const std::string seen =
      instance.reading->requests
          ? requests(*instance.reading->requests - soaking.requests_at) + ", no new errors"
          : "in rotation, its requests and errors are not counted";
  return advance_to(instance, forward ? PhaseName::done : PhaseName::rolled_back, seen);
}

Step step_rolling_back(const State& state, const Census& census, const Instance& instance,
                       const RollingBack& rolling, TimeMs now) {
  if (!instance.acted && !instance.config_touched) {
    return advance_to(instance, instance.taken_out ? PhaseName::rejoining : PhaseName::rolled_back,
                      instance.taken_out ? "not changed: putting it back" : "nothing was changed");
  }
  const Permission permission = may_take_out(state, census, instance);
  if (permission.granted && !another_zone_in_work(state, census, instance)) {
    return advance_to(instance, PhaseName::draining, "rollback: " + permission.reason);
  }
  // In rotation with the new configuration, and the floor does not let it go: it waits as long as
  // others are in work or the capacity wait lasts, then stays as it is and a human is told.
  const bool others_work = census.any(Trait::in_work);
  const TimeMs end =
      std::max(rolling.since, last_progress(state, census)) + state.plan.policy.capacity.wait_ms;
  if (others_work || now < end) return wait_until(std::max(end, now + 1'000));
  const TargetState seen = instance.reading ? instance.reading->state : TargetState::unknown;
  const bool back = seen == TargetState::in || seen == TargetState::in_unhealthy;
  if (instance.taken_out && !back) {
    return advance_to(instance, PhaseName::quarantined,
                      "it cannot be seen whether it serves: " + permission.reason);
  }
  return advance_to(instance, PhaseName::done,
                    "kept on the new configuration: " + permission.reason);
}

void watch_health(const Instance& instance, DurationMs interval, std::vector<Watch>& watches) {
  Watch& watch = watches.emplace_back();
  watch.kind = WatchKind::health;
  watch.instance = instance.plan.id;
  watch.interval_ms = interval;
}

}  // namespace

Action action_for(const State& state, const Instance& instance) {
  // Once the service died or refused to be reloaded, only a restart brings it back; it is out of
  // rotation by then, so that a restart is as safe as a reload.
  const bool backward = instance.direction == Direction::backward;
  const bool reload_is_no_help = instance.died || instance.failed_in == PhaseName::acting;
  return backward && reload_is_no_help ? Action::restart : state.plan.action;
}

bool taken_by_someone_else(const Instance& instance) {
  if (HITLESS_PLANTED(takes_over_foreign) || instance.taken_out || !instance.seen_in) return false;
  const TargetState state = instance.reading ? instance.reading->state : TargetState::unknown;
  return state == TargetState::out || state == TargetState::draining ||
         state == TargetState::leaving;
}

Step next_step(const State& state, const Census& census, const Instance& instance, TimeMs now) {
  if (instance.pending) return {};
  struct Visitor {
    const State& state;
    const Census& census;
    const Instance& instance;
    TimeMs now;
    Step operator()(const Draining& p) const {
      return step_draining(state, census, instance, p, now);
    }
    Step operator()(const Drained&) const { return advance_to(instance, PhaseName::acting, ""); }
    Step operator()(const Acting& p) const { return step_acting(state, instance, p, now); }
    Step operator()(const Verifying& p) const { return step_verifying(state, instance, p, now); }
    Step operator()(const Rejoining& p) const {
      return step_rejoining(state, census, instance, p, now);
    }
    Step operator()(const Soaking& p) const { return step_soaking(state, instance, p, now); }
    Step operator()(const RollingBack& p) const {
      return step_rolling_back(state, census, instance, p, now);
    }
    Step operator()(const Waiting&) const { return {}; }  // these belong to the rollout
    Step operator()(const Preflight&) const { return {}; }
    Step operator()(const Done&) const { return {}; }  // and these are the end
    Step operator()(const RolledBack&) const { return {}; }
    Step operator()(const Quarantined&) const { return {}; }
    Step operator()(const Skipped&) const { return {}; }
  };
  return std::visit(Visitor{state, census, instance, now}, instance.phase);
}

void add_watches(const State& state, const Instance& instance, std::vector<Watch>& watches) {
  constexpr DurationMs kServiceIntervalMs = 50, kUnprovenIntervalMs = 20;
  constexpr DurationMs kRebootIntervalMs = 500;  // each look at a host that is down is a connection
  constexpr DurationMs kLatencyIntervalMs = 5;   // once it passes, the samples are gathered quickly
  const VerifyPolicy& policy = state.plan.policy.verify;
  if (const auto* verifying = std::get_if<Verifying>(&instance.phase)) {
    Watch& service = watches.emplace_back();
    service.kind = WatchKind::service;
    service.instance = instance.plan.id;
    service.interval_ms = verifying->proven_since ? kServiceIntervalMs : kUnprovenIntervalMs;
    service.action = action_for(state, instance);
    if (service.action == Action::reboot) service.interval_ms = kRebootIntervalMs;
    service.before = instance.before;
    if (!policy.health) return;
    const bool sampling =
        verifying->passes > 0 && policy.compare_latency &&
        static_cast<std::int64_t>(verifying->latencies_us.size()) < policy.latency_samples;
    watch_health(instance, sampling ? kLatencyIntervalMs : policy.health_interval_ms, watches);
  } else if (std::holds_alternative<Soaking>(instance.phase) && policy.health) {
    watch_health(instance, policy.health_interval_ms, watches);
  }
}

std::string render_samples(const std::vector<std::int64_t>& samples) {
  constexpr std::size_t kShown = 6;
  if (samples.empty()) return "0";
  std::string text;
  const std::size_t n = samples.size();
  const std::size_t shown = std::min(kShown, n);
  for (std::size_t i = 0; i < shown; ++i) {
    const std::size_t at = shown == 1 ? n - 1 : i * (n - 1) / (shown - 1);
    if (!text.empty()) text += " → ";
    text += std::to_string(samples[at]);
  }
  return text;
}

}  // namespace hitless::core
