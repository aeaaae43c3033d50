// The field lists of the core's structs and enums, for the codec. The core itself knows nothing of
// JSON.
//
// A field that is added to a struct and forgotten here does not compile: the same names are used
// for a structured binding, which must name every field. An enumerator that is forgotten fails a
// static_assert. The order here is the order of keys in the canonical text: append, never reorder
// (old plan hashes).
#pragma once
#include <boost/describe.hpp>
#include <boost/mp11.hpp>
#include <string_view>

#include "core/event.hpp"

namespace hitless::journal {

// Whether Value is a named enumerator; the compiler spells an unnamed one as a cast: "(E)7".
template <auto Value>
constexpr bool is_named() {
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  return text.find(")", text.find("Value = ")) == std::string_view::npos;
}

template <class E>
constexpr bool every_enumerator_described() {
  constexpr auto count = boost::mp11::mp_size<boost::describe::describe_enumerators<E>>::value;
  return is_named<static_cast<E>(count - 1)>() && !is_named<static_cast<E>(count)>();
}

}  // namespace hitless::journal

#define HITLESS_STRUCT(T, ...)                                   \
  BOOST_DESCRIBE_STRUCT(T, (), (__VA_ARGS__))                    \
  [[maybe_unused]] inline void name_every_field_of(const T& t) { \
    [[maybe_unused]] const auto& [__VA_ARGS__] = t;              \
  }
#define HITLESS_ENUM(E, ...)                                       \
  BOOST_DESCRIBE_ENUM(E, __VA_ARGS__)                              \
  static_assert(hitless::journal::every_enumerator_described<E>(), \
                #E " has an enumerator that is not described");

namespace hitless::core {

// clang-format off
HITLESS_ENUM(Intent, restart, reload, apply, reboot, patch)
HITLESS_ENUM(Action, none, reload, restart, reboot)
HITLESS_ENUM(CheckStatus, pass, warn, fail, unknown)
HITLESS_ENUM(AdminState, ready, drain, maint, absent, unknown)
HITLESS_ENUM(LbCheck, pass, fail, none, unknown)
HITLESS_ENUM(TargetState, in, in_unhealthy, leaving, draining, out, absent, unknown)
HITLESS_ENUM(ServiceVerdict, proven, not_applied, down, flapping, indeterminate)
HITLESS_ENUM(HealthStatus, pass, fail, unknown)
HITLESS_ENUM(OnDrainDeadline, abort, force, wait)
HITLESS_ENUM(EffectKind, preflight, recheck, drain, confirm_out, close_remaining, install_config,
             act, rejoin, diagnose, open_incident, finish)
HITLESS_ENUM(Direction, forward, backward)
HITLESS_ENUM(RolloutResult, succeeded, rolled_back, human_needed, blocked, aborted)
HITLESS_ENUM(OutcomeStatus, ok, failed, unknown)
HITLESS_ENUM(PhaseName, waiting, preflight, draining, drained, acting, verifying, rejoining,
             soaking, rolling_back, done, rolled_back, quarantined, skipped)
HITLESS_ENUM(OperatorWish, stop, abort, pause, resume, force_drain)

HITLESS_STRUCT(Check, name, status, evidence, help)
HITLESS_STRUCT(TargetReport, instance, lb, node, pool, admin, check, in_flight, idle, requests,
               errors, epoch, note, uncounted, standby)
HITLESS_STRUCT(TargetReading, state, check, in_flight, idle, host_connections, requests, errors,
               epoch, note, by_hand, standby)
HITLESS_STRUCT(ServiceIdentity, active, state, main_pid, start_time, invocation_id, restarts,
               workers, config_digest, log_offset, log_file, log_inode, boot_id)
HITLESS_STRUCT(ServiceReading, verdict, now, evidence)
HITLESS_STRUCT(HealthReading, status, latency_us, evidence)
HITLESS_STRUCT(LatencyBaseline, samples, median_us, p95_us)

HITLESS_STRUCT(DrainPolicy, deadline_ms, on_deadline, quiet_ms, settle_ms, host_count)
HITLESS_STRUCT(VerifyPolicy, deadline_ms, stability_ms, grace_ms, health_interval_ms, rise, fall,
               health, latency_samples, latency_factor, latency_slack_ms, compare_latency)
HITLESS_STRUCT(RejoinPolicy, deadline_ms, traffic_wait_ms, soak_ms, max_error_ratio)
HITLESS_STRUCT(CapacityPolicy, floor, at_once, max_failures, wait_ms, zone_by_zone)
HITLESS_STRUCT(Policy, capacity, drain, verify, rejoin)
HITLESS_STRUCT(InstancePlan, id, host, zone, canary, skip_reason)
HITLESS_STRUCT(PlannedFile, instance, path, source, sha256, mode)
HITLESS_STRUCT(ServiceFloor, service, floor, members)
HITLESS_STRUCT(PlannedPackage, instance, name, from, to, way_back)
HITLESS_STRUCT(Plan, rollout, service, intent, action, changes_config, change_summary, instances,
               files, policy, created_at, hash, floors, packages, without_way_back, install_ms)

HITLESS_STRUCT(Effect, id, epoch, kind, instance, direction, action, expected, deadline, reason, result)
HITLESS_STRUCT(Backup, path, existed, backup_path, sha256)
HITLESS_STRUCT(PreflightReport, checks, connections, identity, baseline, backups, diff, skip_reason)
HITLESS_STRUCT(Diagnosis, dependency_down, peers_checked, peers_failing)
HITLESS_STRUCT(Outcome, status, detail, preflight, reading, diagnosis, before, incident)

HITLESS_STRUCT(RolloutStarted, plan, actor, epoch)
HITLESS_STRUCT(EffectIntended, effect)
HITLESS_STRUCT(EffectFinished, effect_id, outcome)
HITLESS_STRUCT(TrafficSeen, readings)
HITLESS_STRUCT(ServiceSeen, instance, reading)
HITLESS_STRUCT(HealthSeen, instance, reading)
HITLESS_STRUCT(Advanced, instance, from, to, reason)
HITLESS_STRUCT(Halted, reason, roll_back, blocked)
HITLESS_STRUCT(OperatorAsked, wish, actor)
HITLESS_STRUCT(ControllerTookOver, epoch, actor)
HITLESS_STRUCT(Noted, instance, text)
// clang-format on

}  // namespace hitless::core

#undef HITLESS_STRUCT
#undef HITLESS_ENUM
