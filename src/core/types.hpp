// The nouns of a rollout (ARCHITECTURE.md, "Words") as plain values. Nothing here does anything.
//
// Times are milliseconds since the Unix epoch and only ever arrive in events; a missing number is
// an empty optional, never 0, because unknown must not be taken for good (rule I12).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hitless::core {

using TimeMs = std::int64_t;
using DurationMs = std::int64_t;

// One service on one host, written service@host.
struct InstanceId {
  std::string value;
  auto operator<=>(const InstanceId&) const = default;
};

enum class Intent { restart, reload, apply, reboot, patch };
enum class Action { none, reload, restart, reboot };

// An instance of such a rollout is a host with all its services, written host@web01.
[[nodiscard]] constexpr bool works_on_hosts(Intent intent) {
  return intent == Intent::reboot || intent == Intent::patch;
}

// ---- checks -------------------------------------------------------------------------------------
enum class CheckStatus { pass, warn, fail, unknown };

// One line of the checklist with its evidence. unknown blocks like fail.
struct Check {
  std::string name;  // "Load balancer healthcheck"
  CheckStatus status = CheckStatus::unknown;
  std::string evidence;  // "PASSING on lb-1, lb-2"
  std::string help;      // what to do when it does not pass
};

// ---- traffic ------------------------------------------------------------------------------------
enum class AdminState { ready, drain, maint, absent, unknown };  // what operators asked of the LB
enum class LbCheck { pass, fail, none, unknown };                // the LB's own health check

// What one load balancer node says about one target in one pool, read in one go.
struct TargetReport {
  InstanceId instance;
  std::string lb, node, pool;
  AdminState admin = AdminState::unknown;
  LbCheck check = LbCheck::unknown;
  std::optional<std::int64_t> in_flight;  // requests or sessions, all workers of the LB together
  std::optional<std::int64_t> idle;       // connections to the instance that the LB keeps idle
  std::optional<std::int64_t> requests;   // total since the epoch began
  std::optional<std::int64_t> errors;  // 5xx, refused, aborted by the server; since the epoch began
  std::string epoch;                   // changes when the LB's worker changes (reload, restart)
  std::string note;                    // why unknown; "lb-1: connection refused"
  // This LB counts no work at a target: its part of in_flight is nothing, and the plan then wants
  // the host's own sockets counted.
  bool uncounted = false;
  bool standby = false;  // gets new work only while the others are down
};

enum class TargetState {
  in,            // every pool on every node sends it new work and thinks it healthy
  in_unhealthy,  // in rotation, but some node's check fails
  leaving,       // out on some nodes or pools, not on all
  draining,      // out everywhere, work still in flight
  out,           // out everywhere, nothing in flight
  absent,        // some node does not know it
  unknown,       // some node could not be asked
};

// The reports on one instance merged over all its pools and nodes.
struct TargetReading {
  TargetState state = TargetState::unknown;
  LbCheck check = LbCheck::unknown;
  std::optional<std::int64_t> in_flight;
  std::optional<std::int64_t> idle;
  std::optional<std::int64_t> host_connections;  // on the host, less the LBs' own health checks
  std::optional<std::int64_t> requests, errors;
  std::string epoch;
  std::string note;
  bool by_hand = false;  // out by someone else's hand, on every node: we never use maint
  bool standby = false;  // in some pool it gets new work only while the others are down
  bool operator==(const TargetReading&) const = default;
};

// ---- service and health -------------------------------------------------------------------------
// Who is running, so that "it is a new one" can be proven later.
struct ServiceIdentity {
  bool active = false;
  std::string state;  // "active/running"
  std::int64_t main_pid = 0;
  std::string start_time;            // of main_pid, host clock ticks since boot: tells a reused pid
  std::string invocation_id;         // systemd only
  std::int64_t restarts = 0;         // systemd's NRestarts
  std::vector<std::string> workers;  // "pid:start", the generation that serves
  std::string config_digest;         // of the configuration on disk, files and includes
  std::int64_t log_offset = -1;      // size of the error log, to see only what is new; -1: none
  std::string log_file;
  std::int64_t log_inode = 0;  // of log_file, tells a rotated log; 0: unknown
  std::string boot_id;         // of the host, where the whole host is worked on; else empty
  bool operator==(const ServiceIdentity&) const = default;
};

enum class ServiceVerdict { proven, not_applied, down, flapping, indeterminate };

struct ServiceReading {
  ServiceVerdict verdict = ServiceVerdict::indeterminate;
  ServiceIdentity now;
  std::string evidence;  // "PID 1234 → 5678", "[emerg] bind() … failed"
  bool operator==(const ServiceReading&) const = default;
};

enum class HealthStatus { pass, fail, unknown };

struct HealthReading {
  HealthStatus status = HealthStatus::unknown;
  std::int64_t latency_us = 0;
  std::string evidence;  // "GET /healthz → HTTP 200"
};

// Latency of an instance before it was touched; empty when too few samples came back.
struct LatencyBaseline {
  std::int64_t samples = 0;
  std::int64_t median_us = 0;
  std::int64_t p95_us = 0;
};

}  // namespace hitless::core
