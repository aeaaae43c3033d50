#include "core/verify.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "core/instance_fsm.hpp"
#include "core/names.hpp"
#include "core/planted.hpp"

namespace hitless::core {
namespace {

constexpr DurationMs kDownConfirmMs = 500;  // a service that starts may look down for a moment
constexpr DurationMs kSlowConfirmMs = 2'000;
constexpr DurationMs kReloadSettleMs = 500;  // old workers still answer for a moment after a reload
// A reload that a controller now gone may or may not have asked for shows within this time (nginx
// tries to bind for 2.5 s), or it never happened.
constexpr DurationMs kLostReloadMs = 3'000;
constexpr TimeMs kNever = std::numeric_limits<TimeMs>::max();
constexpr DurationMs kLostRebootMs = 10'000;  // the same for a reboot: is it on its way down?

Judgement wait_until(TimeMs at) {
  return {Judgement::Kind::wait, {}, at, false};
}
Judgement failed(std::string reason, bool service_fault = false) {
  return {Judgement::Kind::fail, std::move(reason), 0, service_fault};
}

std::string milliseconds(std::int64_t us) {
  char text[32];
  std::snprintf(text, sizeof text, us < 10'000 ? "%.1fms" : "%.0fms",
                static_cast<double>(us) / 1000.0);
  return text;
}

// Empty while the process looks right or may still become so.
Judgement judge_service(const Verifying& v, Action action, TimeMs now) {
  if (!v.service) return wait_until(now + 1'000);
  const ServiceReading& reading = *v.service;
  const bool too_early = action == Action::reboot && now < v.since + kLostRebootMs;
  switch (reading.verdict) {
    case ServiceVerdict::not_applied:
      if (v.orphaned && !too_early) {
        return {Judgement::Kind::never_happened, reading.evidence, 0, false};
      }
      // It takes its time to go down; the deadline judges.
      if (action == Action::reboot) break;
      [[fallthrough]];
    case ServiceVerdict::flapping:
      return failed(std::string(to_string(reading.verdict)) + ": " + reading.evidence, true);
    case ServiceVerdict::down:
      if (v.down_since && now - *v.down_since >= kDownConfirmMs)
        return failed("down: " + reading.evidence, true);
      return wait_until(v.down_since.value_or(now) + kDownConfirmMs);
    case ServiceVerdict::proven:
    case ServiceVerdict::indeterminate:
      break;
  }
  return wait_until(now + 1'000);
}

// Nobody knows whether the reload was ever asked for, and nothing shows it. What answers meanwhile
// is the configuration from before, good or bad, so its health says nothing about the new one.
std::optional<Judgement> judge_lost_reload(const State& state, const Instance& instance,
                                           const Verifying& v, TimeMs now) {
  if (HITLESS_PLANTED(lost_reload_judged)) return std::nullopt;
  const bool open = v.orphaned && !v.proven_since && v.service &&
                    v.service->verdict == ServiceVerdict::indeterminate &&
                    action_for(state, instance) == Action::reload;
  if (!open) return std::nullopt;
  const TimeMs end = v.since + kLostReloadMs;
  if (now < end) return wait_until(end);
  return Judgement{Judgement::Kind::never_happened, v.service->evidence, 0, false};
}

// From when on a failing check counts. A service that restarts may take its time; after a reload
// what counts is what runs since it is proven.
TimeMs failing_counts_from(const State& state, const Instance& instance, const Verifying& v) {
  const DurationMs grace = state.plan.policy.verify.grace_ms;
  if (HITLESS_PLANTED(old_answers_judged)) return v.since;
  const Action action = action_for(state, instance);
  if (action == Action::restart) return v.since + grace;
  // A host that is down answers nothing; only what runs after its boot is judged.
  if (action == Action::reboot) return v.proven_since ? *v.proven_since + grace : kNever;
  if (!v.proven_since) return v.since + std::max(grace, kReloadSettleMs);
  return *v.proven_since + std::min(grace, kReloadSettleMs);
}

struct Latency {
  bool known = false, fast_enough = false;
  std::string text;
};

Latency compare_latency(const VerifyPolicy& policy, const LatencyBaseline& base,
                        const std::vector<std::int64_t>& samples) {
  Latency result;
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(policy.latency_samples, 1));
  if (base.samples < policy.latency_samples || samples.size() < wanted) {
    result.text =
        std::to_string(samples.size()) + " of " + std::to_string(wanted) + " latency samples";
    return result;
  }
  std::vector<std::int64_t> last(samples.end() - static_cast<std::ptrdiff_t>(wanted),
                                 samples.end());
  std::sort(last.begin(), last.end());
  const std::int64_t median = last[last.size() / 2];
  const std::int64_t p95 = last[last.size() * 95 / 100];
  const auto limit = [&](std::int64_t us) {
    return static_cast<std::int64_t>(static_cast<double>(us) * policy.latency_factor) +
           policy.latency_slack_ms * 1000;
  };
  result.known = true;
  result.fast_enough = median <= limit(base.median_us) && p95 <= limit(base.p95_us);
  result.text = "response time " + milliseconds(median) + ", p95 " + milliseconds(p95) +
                " (baseline " + milliseconds(base.median_us) + ", p95 " +
                milliseconds(base.p95_us) + ")";
  return result;
}

std::string unmet(const VerifyPolicy& policy, const Verifying& v, bool stable,
                  const Latency& latency) {
  if (!v.service || v.service->verdict != ServiceVerdict::proven) {
    return "not proven: " +
           (v.service ? v.service->evidence : std::string("the host could not be asked"));
  }
  if (!stable) return "not stable for " + std::to_string(policy.stability_ms) + "ms";
  if (policy.health && v.passes < policy.rise) {
    return (v.last_health.empty() ? "no health answer" : v.last_health) + " (" +
           std::to_string(v.fails) + " of " + std::to_string(v.fails) + ")";
  }
  return latency.known ? "too slow: " + latency.text : "latency unknown: " + latency.text;
}

}  // namespace

Judgement judge(const State& state, const Instance& instance, const Verifying& v, TimeMs now) {
  const VerifyPolicy& policy = state.plan.policy.verify;
  const Action action = action_for(state, instance);
  if (Judgement service = judge_service(v, action, now); service.kind != Judgement::Kind::wait)
    return service;
  if (const auto lost = judge_lost_reload(state, instance, v, now)) return *lost;

  const TimeMs end = v.since + policy.deadline_ms;
  const TimeMs grace_end = failing_counts_from(state, instance, v);
  const bool proven = v.proven_since.has_value();
  const bool stable = proven && now - *v.proven_since >= policy.stability_ms;
  const bool healthy = !policy.health || v.passes >= policy.rise;
  Latency latency{true, true, {}};
  const bool matters = (stable && healthy) || now >= end;
  if (policy.health && policy.compare_latency && matters) {
    const LatencyBaseline base = instance.report ? instance.report->baseline : LatencyBaseline{};
    latency = compare_latency(policy, base, v.latencies_us);
  }
  if (stable && healthy && latency.known && latency.fast_enough) {
    std::string reason = v.service->evidence;
    if (policy.health) reason += "; " + v.last_health;
    if (!latency.text.empty()) reason += "; " + latency.text;
    return {Judgement::Kind::pass, std::move(reason), 0, false};
  }
  if (policy.health && v.fails >= policy.fall && now >= grace_end) {
    return failed(v.last_health + " (" + std::to_string(v.fails) + " of " +
                  std::to_string(v.fails) + ")");
  }
  const bool slow = stable && healthy && latency.known && !latency.fast_enough;
  if (slow && now >= std::max(grace_end, v.since + kSlowConfirmMs))
    return failed("too slow: " + latency.text);
  if (now >= end) {
    return failed("verify deadline " + std::to_string(policy.deadline_ms / 1000) +
                  "s: " + unmet(policy, v, stable, latency));
  }
  TimeMs next = end;
  if (proven && !stable) next = std::min(next, *v.proven_since + policy.stability_ms);
  if (v.fails >= policy.fall) next = std::min(next, grace_end);
  if (v.down_since) next = std::min(next, *v.down_since + kDownConfirmMs);
  if (slow) next = std::min(next, std::max(grace_end, v.since + kSlowConfirmMs));
  return wait_until(std::max(next, now + 1));
}

std::string soak_trouble(const State& state, const Instance& instance, const Soaking& soaking) {
  const Policy& policy = state.plan.policy;
  if (policy.verify.health && soaking.fails >= policy.verify.fall) {
    return "in rotation but unhealthy: " + soaking.last_health;
  }
  if (!instance.reading || !instance.reading->requests || !instance.reading->errors) return {};
  const std::int64_t requests = *instance.reading->requests - soaking.requests_at;
  const std::int64_t errors = *instance.reading->errors - soaking.errors_at;
  if (errors <= 0) return {};
  std::int64_t other_requests = -soaking.others_requests_at,
               other_errors = -soaking.others_errors_at;
  for (const Instance& other : state.instances) {
    if (&other == &instance || !other.reading) continue;
    other_requests += other.reading->requests.value_or(0);
    other_errors += other.reading->errors.value_or(0);
  }
  const double ratio =
      static_cast<double>(errors) / static_cast<double>(std::max<std::int64_t>(requests, errors));
  const double usual = other_requests > 0
                           ? static_cast<double>(std::max<std::int64_t>(other_errors, 0)) /
                                 static_cast<double>(other_requests)
                           : 0.0;
  // Noise that all instances share is not this one's fault.
  if (ratio <= policy.rejoin.max_error_ratio || ratio <= 2 * usual) return {};
  return std::to_string(errors) + " of " + std::to_string(requests) +
         " requests failed at it since it is back (others: " +
         std::to_string(std::max<std::int64_t>(other_errors, 0)) + " of " +
         std::to_string(std::max<std::int64_t>(other_requests, 0)) + ")";
}

bool another_zone_in_work(const State& state, const Census& census, const Instance& instance) {
  if (!state.plan.policy.capacity.zone_by_zone || instance.plan.zone.empty()) return false;
  return census.works_in_another_zone(instance.plan.zone);
}

}  // namespace hitless::core
