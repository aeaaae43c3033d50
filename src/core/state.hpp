// State of a rollout: the fold of its journal, and nothing else.
//
// apply() is the only way to change it; it is pure, total and never fails: an event that does not
// fit (a late or repeated observation, an outcome of an effect that is no longer pending) changes
// nothing for the worse (rule I6). After a crash the same fold over the same journal gives the same
// State.
#pragma once
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "core/event.hpp"

namespace hitless::core {

// ---- what an instance knows in each phase
// ---------------------------------------------------------
struct Waiting {};
struct Preflight {
  TimeMs since = 0;
  bool cleared = false;  // the short re-check just before its turn has passed
};
struct Draining {
  TimeMs since = 0;
  bool commanded = false;             // every LB node confirmed the drain
  TimeMs commanded_at = 0;            // readings from before say nothing about it
  std::optional<TimeMs> closed_at;    // remaining work was cut off then (policy `force`)
  std::optional<TimeMs> quiet_since;  // nothing in flight, everywhere, without a break since then
  std::optional<TimeMs> out_since;    // out of rotation everywhere, without a break since then
  std::int64_t reasserted = 0;        // the LB forgot the drain and was told again
  std::vector<std::int64_t> samples;  // in-flight counts as they fell
  bool confirmed = false;             // the last look before acting saw nothing
  std::string confirmed_by;
};
struct Drained {
  TimeMs since = 0;
};
struct Acting {
  TimeMs since = 0;
  bool installed = false;
  bool looked_since = false;  // the load balancer was read again after the install
  std::optional<OutcomeStatus> acted;
  bool orphaned = false;  // its controller is gone and fenced off: it may never have been started
  std::string detail;
};
struct Verifying {
  TimeMs since = 0;
  bool orphaned = false;  // see Acting: found not applied, it is done again
  std::optional<TimeMs> proven_since, down_since;
  std::optional<ServiceReading> service;
  std::int64_t passes = 0, fails = 0, probes = 0;  // passes and fails in a row
  std::string last_health;
  std::vector<std::int64_t> latencies_us;  // the last ones that passed
  std::optional<Diagnosis> diagnosis;
};
struct Rejoining {
  TimeMs since = 0;
  bool commanded = false;
  std::optional<TimeMs> in_since;
  std::int64_t requests_at = 0, others_at = 0;  // LB counters when it was seen back in
  std::string epoch;
  TimeMs checked_at = 0;  // by us, after it was verified
};
struct Soaking {
  TimeMs since = 0;
  std::int64_t requests_at = 0, errors_at = 0, others_requests_at = 0, others_errors_at = 0;
  std::int64_t fails = 0;  // health, in a row
  // It failed once, or nobody looked at it before it went back: no one may leave on its account.
  bool doubted = false;
  bool unproven = false;
  std::string epoch, last_health;
};
struct RollingBack {  // decided, waiting for its turn under the floor
  TimeMs since = 0;
};
struct Done {};
struct RolledBack {};
struct Quarantined {
  std::string reason;
};
struct Skipped {
  std::string reason;
};

using Phase = std::variant<Waiting, Preflight, Draining, Drained, Acting, Verifying, Rejoining,
                           Soaking, RollingBack, Done, RolledBack, Quarantined, Skipped>;

struct Pending {
  Effect effect;
  TimeMs since = 0;
};

struct Instance {
  InstancePlan plan;
  Phase phase;
  Direction direction = Direction::forward;
  bool taken_out = false;        // we asked the LB to take it out and have not seen it back in
  bool config_touched = false;   // the new configuration was, or may have been, installed
  bool config_restored = false;  // and the previous one put back
  bool acted = false;            // a reload or restart was, or may have been, started
  std::int64_t reboots = 0;      // asked for and not refused: there is no way back from one
  bool died = false;  // verify found the service dead or flapping: a reload would not help
  bool failed = false;
  std::string failure;  // why, in one line
  PhaseName failed_in = PhaseName::waiting;
  std::optional<TargetReading> reading;
  TimeMs reading_at = 0;
  bool seen_in = false;  // in rotation at some time since the rollout began
  std::optional<PreflightReport> report;
  ServiceIdentity before;  // who ran just before we acted
  std::optional<Pending> pending;
  std::int64_t attempts = 0;  // failed tries of the effect that is being retried
  TimeMs retry_at = 0;
  std::string last_error;
  TimeMs started_at = 0, ended_at = 0;      // of its turn
  std::vector<std::int64_t> drain_samples;  // kept for the report
  DurationMs drain_ms = 0, back_ms = 0;
  std::string proof;  // what verify saw
  std::int64_t median_us = 0, p95_us = 0;
};

struct State {
  Plan plan;
  std::string actor;
  std::int64_t epoch = 0;
  TimeMs started_at = 0, ended_at = 0, now = 0;
  TimeMs taken_over_at = 0;  // by the present controller; 0: it is the first
  std::vector<Instance> instances;
  std::int64_t next_effect = 1;
  bool halted = false, roll_back_all = false, blocked = false;
  std::string halt_reason;
  bool stop_asked = false, abort_asked = false, paused = false, force_drain = false;
  std::int64_t lowest_serving = -1;  // healthy in rotation; -1: not seen yet
  std::optional<Pending> pending;    // open_incident, finish
  std::int64_t incident_attempts = 0;
  std::string incident;
  std::optional<RolloutResult> ended;
};

void apply_to(State& state, const Event& event, TimeMs at);
[[nodiscard]] State apply(State state, const Event& event, TimeMs at);

// The names stand in the order of the alternatives.
[[nodiscard]] inline PhaseName name_of(const Phase& phase) {
  return static_cast<PhaseName>(phase.index());
}
template <PhaseName name, class Alternative>
constexpr bool names_alternative =
    std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(name), Phase>, Alternative>;
static_assert(names_alternative<PhaseName::waiting, Waiting> &&
              names_alternative<PhaseName::preflight, Preflight> &&
              names_alternative<PhaseName::draining, Draining> &&
              names_alternative<PhaseName::drained, Drained> &&
              names_alternative<PhaseName::acting, Acting> &&
              names_alternative<PhaseName::verifying, Verifying> &&
              names_alternative<PhaseName::rejoining, Rejoining> &&
              names_alternative<PhaseName::soaking, Soaking> &&
              names_alternative<PhaseName::rolling_back, RollingBack> &&
              names_alternative<PhaseName::done, Done> &&
              names_alternative<PhaseName::rolled_back, RolledBack> &&
              names_alternative<PhaseName::quarantined, Quarantined> &&
              names_alternative<PhaseName::skipped, Skipped> &&
              std::variant_size_v<Phase> == static_cast<std::size_t>(PhaseName::skipped) + 1);
[[nodiscard]] const Instance* find(const State& state, const InstanceId& id);
[[nodiscard]] bool is_terminal(const Instance& instance);
// In work: it has left the line and has not reached its end.
[[nodiscard]] bool in_work(const Instance& instance);
// When the rollout last got an instance to its end: waiting for capacity is counted from there.
[[nodiscard]] TimeMs last_progress(const State& state);

}  // namespace hitless::core
