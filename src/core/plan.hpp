// The plan of a rollout: immutable, hashed, and all that the core knows about what is wanted.
#pragma once
#include <string>
#include <vector>

#include "core/types.hpp"

namespace hitless::core {

enum class OnDrainDeadline { abort, force, wait };

struct DrainPolicy {
  DurationMs deadline_ms = 60'000;
  OnDrainDeadline on_deadline = OnDrainDeadline::abort;
  DurationMs quiet_ms = 300;  // this long at zero on every node before it counts as drained
  DurationMs settle_ms = 0;   // not before this long after the LB said out, for LBs that lag
  bool host_count = true;     // the host's own socket count must agree
};

struct VerifyPolicy {
  DurationMs deadline_ms = 60'000;
  DurationMs stability_ms = 2'000;  // proven without a break for this long
  DurationMs grace_ms = 10'000;     // failing health is "still starting" until then
  DurationMs health_interval_ms = 200;
  std::int64_t rise = 3, fall = 5;
  bool health = true;                 // a health check is configured
  std::int64_t latency_samples = 20;  // fewer than this is unknown
  double latency_factor = 3.0;        // allowed: baseline × factor + slack
  DurationMs latency_slack_ms = 50;
  bool compare_latency = true;
};

struct RejoinPolicy {
  DurationMs deadline_ms = 60'000;
  DurationMs traffic_wait_ms = 5'000;  // how long to wait for live traffic at the instance
  DurationMs soak_ms = 2'000;
  double max_error_ratio = 0.01;  // of its requests while soaking
};

struct CapacityPolicy {
  std::int64_t floor = 1;         // healthy, in rotation; never fewer by our doing
  std::int64_t at_once = 1;       // in work at the same time, at most
  std::int64_t max_failures = 0;  // failed instances tolerated before the rollout halts
  DurationMs wait_ms = 60'000;    // how long to wait for capacity to come back
  bool zone_by_zone = true;       // one window never holds instances of two zones
};

struct Policy {
  CapacityPolicy capacity;
  DrainPolicy drain;
  VerifyPolicy verify;
  RejoinPolicy rejoin;
};

struct InstancePlan {
  InstanceId id;
  std::string host;
  std::string zone;
  bool canary = false;
  std::string skip_reason;  // not empty: left alone, and why
};

// A file that `apply` installs: bound by its content, so that a plan cannot install something else.
struct PlannedFile {
  InstanceId instance;
  std::string path;
  std::string source;  // on the controller
  std::string sha256;
  std::string mode;
};

// Where whole hosts are worked on, an instance is a host with all its services, and each of those
// services keeps a floor of its own: so many of `members` in rotation.
struct ServiceFloor {
  std::string service;
  std::int64_t floor = 1;
  std::vector<InstanceId> members;
};

// A package that `patch` upgrades, bound by its versions: a plan cannot install something else.
struct PlannedPackage {
  InstanceId instance;
  std::string name;      // with its architecture: "nginx:amd64"
  std::string from, to;  // versions
  std::string way_back;  // where the old version is still to be had; empty: nowhere
};

struct Plan {
  std::string rollout;  // "R-7f3a"
  std::string service;
  Intent intent = Intent::restart;
  Action action = Action::restart;
  bool changes_config = false;
  std::string change_summary;  // "+3 −1, upstream only"
  std::vector<PlannedFile> files;
  std::vector<InstancePlan> instances;  // in order; canary first
  Policy policy;
  TimeMs created_at = 0;
  std::string hash;                  // of everything but itself, made by the planner
  std::vector<ServiceFloor> floors;  // the rollout's own service first; empty: capacity.floor alone
  std::vector<PlannedPackage> packages;
  bool without_way_back = false;   // accepted by whoever asked for it
  DurationMs install_ms = 30'000;  // how long installing may take
};

}  // namespace hitless::core
