// Everything that happens to a rollout, as data. The journal is the list of these; State is their
// fold.
//
// An Effect is what the core wants done in the world. It is journaled as Intended before it is
// dispatched and as Finished after. A crash between the two leaves an effect whose outcome nobody
// knows: recovery observes the world again and never assumes that it happened.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/plan.hpp"
#include "core/types.hpp"

namespace hitless::core {

enum class EffectKind {
  preflight,    // check everything about an instance; for a new config also stage, test, back up
  recheck,      // the short form, just before its turn
  drain,        // take it out of every pool on every node
  confirm_out,  // read everything once more, just before acting
  close_remaining,  // cut what is still in flight (deadline policy `force`)
  install_config,   // put the new (forward) or the previous (backward) files in place
  act,              // reload or restart
  rejoin,           // put it back into every pool on every node
  diagnose,         // after a failure: is it the instance, or something that all depend on?
  open_incident,
  finish,  // the rollout is over
};

// Changes nothing anywhere: it may begin before its intent is durable.
constexpr bool looks_only(EffectKind kind) {
  return kind == EffectKind::recheck || kind == EffectKind::confirm_out ||
         kind == EffectKind::diagnose;
}

enum class Direction { forward, backward };  // backward: rolling back
enum class RolloutResult { succeeded, rolled_back, human_needed, blocked, aborted };

struct Effect {
  std::string id;          // "R-7f3a.12": unique, and the name of the operation on the host
  std::int64_t epoch = 0;  // of the controller that wants it; a host refuses a stale one (rule I4)
  EffectKind kind = EffectKind::preflight;
  InstanceId instance;  // empty for open_incident, finish
  Direction direction = Direction::forward;
  Action action = Action::none;  // act only
  ServiceIdentity expected;      // act: only if this is still who runs
  TimeMs deadline = 0;
  std::string reason;                               // open_incident, finish: why
  RolloutResult result = RolloutResult::succeeded;  // open_incident, finish
};

enum class OutcomeStatus { ok, failed, unknown };

// A file as it was before, on the host, so that it can be put back after any crash.
struct Backup {
  std::string path;
  bool existed = false;  // false: putting back means removing it
  std::string backup_path;
  std::string sha256;
};

struct PreflightReport {
  std::vector<Check> checks;
  std::optional<std::int64_t> connections;
  ServiceIdentity identity;
  LatencyBaseline baseline;
  std::vector<Backup> backups;
  std::string diff;         // unified, redacted, capped; for people
  std::string skip_reason;  // found out of rotation by someone else's hand, or up to date
};

struct Diagnosis {
  std::string dependency_down;     // its name, when one is
  std::int64_t peers_checked = 0;  // instances that were not changed
  std::int64_t peers_failing = 0;
};

struct Outcome {
  OutcomeStatus status = OutcomeStatus::unknown;
  std::string detail;
  std::optional<PreflightReport> preflight;  // preflight, recheck
  std::optional<TargetReading> reading;      // confirm_out
  std::optional<Diagnosis> diagnosis;        // diagnose
  std::optional<ServiceIdentity> before;     // confirm_out, recheck: who runs now
  std::string incident;                      // open_incident: "INC-12"
};

// ---- events -------------------------------------------------------------------------------------
struct RolloutStarted {
  Plan plan;
  std::string actor;
  std::int64_t epoch = 1;
};
struct EffectIntended {
  Effect effect;
};
struct EffectFinished {
  std::string effect_id;
  Outcome outcome;
};
struct TrafficSeen {
  std::vector<std::pair<InstanceId, TargetReading>> readings;  // only those that changed
};
struct ServiceSeen {
  InstanceId instance;
  ServiceReading reading;
};
struct HealthSeen {
  InstanceId instance;
  HealthReading reading;
};

enum class PhaseName {
  waiting,
  preflight,
  draining,
  drained,
  acting,
  verifying,
  rejoining,
  soaking,
  rolling_back,
  done,
  rolled_back,
  quarantined,
  skipped,
};

// A decision of the core, journaled so that the audit log says why.
struct Advanced {
  InstanceId instance;
  PhaseName from = PhaseName::waiting;
  PhaseName to = PhaseName::waiting;
  std::string reason;
};
// The rollout takes no further instance; with roll_back, every changed one is rolled back.
struct Halted {
  std::string reason;
  bool roll_back = false;
  bool blocked = false;  // nothing was touched: a gate said no
};

enum class OperatorWish { stop, abort, pause, resume, force_drain };
struct OperatorAsked {
  OperatorWish wish = OperatorWish::stop;
  std::string actor;
};
struct ControllerTookOver {
  std::int64_t epoch = 1;
  std::string actor;
};
// For people only; changes no state. ("webhook ops: delivered")
struct Noted {
  InstanceId instance;
  std::string text;
};

using Event = std::variant<RolloutStarted, EffectIntended, EffectFinished, TrafficSeen, ServiceSeen,
                           HealthSeen, Advanced, Halted, OperatorAsked, ControllerTookOver, Noted>;

// One line of the journal.
struct Entry {
  std::int64_t seq = 0;
  std::string rollout;
  TimeMs at = 0;
  Event event;
};

}  // namespace hitless::core
