// The things that the simulated world is made of, as plain values, so that a world can be copied.
#pragma once
#include <array>
#include <bitset>
#include <memory>
#include <string>
#include <vector>

#include "core/controller.hpp"
#include "sim/queue.hpp"
#include "sim/scenario.hpp"

namespace hitless::sim {

constexpr DurationMs kLeaseTtlMs = 10'000;
constexpr DurationMs kHeartbeatMs = 3'000;
constexpr DurationMs kLongestOperationMs = 30'000;
// A watchdog outlives the lease and an act that was started at the lease's last moment, and a
// takeover by another home gets its chance before it.
constexpr DurationMs kWatchdogMs = 2 * kLeaseTtlMs + 2 * kLongestOperationMs;
constexpr TimeMs kWallMs = 1'700'000'000'000;  // what wall clocks say at the start
constexpr DurationMs kNeverMs = INT64_MAX / 4;

enum class Admin : std::uint8_t { ready, drain, maint };

// One instance as one node of the load balancer has it.
struct Server {
  Admin admin = Admin::ready;
  bool by_us = false;         // the admin state is our doing
  bool passes = true;         // what the node's health check thinks
  bool cannot_check = false;  // and it cannot reach the instance
  int in_flight = 3;
  std::int64_t requests = 0, errors = 0;
  TimeMs counted_at = 0;
  TimeMs watchdog_at = 0;  // 0: none armed
  std::int64_t watchdog_epoch = 0;
  bool watchdog_queued = false, alarm = false;
  bool out_of_reach = false;  // when its timer was to be disarmed
};

struct LbNode {
  Table<Server, kHosts> servers;
  int reloads = 0;
  TimeMs checks_known_at = 0;  // after a reload the checks begin anew
  bool refuses = false, fails_open = false, stale = false;
  TimeMs stale_since = 0;
  Table<Server, kHosts> old;  // what a stale node answers
  int old_reloads = 0;
};

struct Claim {
  std::int64_t epoch = 0;
  int home = -1;
  TimeMs until = 0;
};

// A mutation that runs on a host by itself, found again by its id.
struct Operation {
  std::int64_t number = 0;
  int times = 0;
  bool running = false;
  TimeMs ends_at = 0;  // the host kills it then
  core::OutcomeStatus status = core::OutcomeStatus::unknown;
};

struct Host {
  bool up = true;       // the machine
  bool running = true;  // the service's process
  bool healthy = true;
  bool flapping = false;
  bool hung = false;        // a restart stopped it and does not get on
  bool new_config = false;  // on disk
  bool runs_new = false;    // and what runs has read it
  int generation = 1;       // the service's process
  int workers = 1;          // the generation that serves: another one after each reload or start
  TimeMs old_until = 0;     // workers of before the reload accept until then
  bool old_healthy = true;
  int acts = 0;    // how often we reloaded or restarted it
  int direct = 0;  // connections that no load balancer knows of
  // faults in force
  bool hangs = false, sick = false, new_sick = false, flaps = false, no_ssh = false, slow = false,
       start_limit = false, disk_full = false;
  Claim claim;
  std::vector<Operation> operations;

  // for the rules: since when it does not serve, and by whose doing
  bool serves = true, bad_by_us = false, in = true, in_by_us = false, busy = true;
  bool worked_on = false;  // we drained it at some time
  bool stopped_by_us = false;
  bool ours = false;  // we drained it and did not put it back yet
  TimeMs stopped_at = 0, sick_since = 0;
  TimeMs landed_at = 0;  // the last effect on it
  TimeMs bad_since = 0;
  TimeMs well_since = 0;  // since when it serves, on all nodes
  bool well_by_us = false;
  TimeMs in_since = 0;    // since when some node sends it work
  TimeMs busy_since = 0;  // since when there has been work without a break
};

// The journal. In shared mode (etcd) all homes reach the same one and the epoch guards it; else
// (SQLite) only one home exists.
struct Store {
  std::vector<std::shared_ptr<const core::Entry>> entries;  // durable
  std::shared_ptr<const core::Entry> torn;  // part of a transaction that was never acknowledged
  std::int64_t epoch = 0;
  bool down = false, full = false, unknown_result = false, tear_next = false, lags = false,
       compacted = false;
  std::bitset<2048> intents;  // durable ones, by number
  bool started = false, ended = false;
  TimeMs last_at = 0;
};

// An effect on its way: the shell's coroutine in the product.
struct Flight {
  bool live = false;
  bool safe = false;  // putting back without an entry, because the journal cannot be written
  int home = 0, host = -1, node = 0;
  std::uint32_t life = 0, serial = 0;
  std::int64_t number = 0;
  std::shared_ptr<const core::Effect> effect;
  Table<TimeMs, kHosts> seen{};  // until when its controller had seen each, when it was sent
  TimeMs counted_at = 0;         // and when it had last counted the host's own connections
};

// What is between a home and the rest of the world. It stays when the process dies.
struct Link {
  unsigned no_hosts = 0, no_nodes = 0;  // bits: cannot be reached
  bool lost_requests = false, lost_replies = false, slow = false, doubled = false,
       lost_probes = false, stuck = false;
  DurationMs wall_offset = 0;
};

struct TrafficSample {
  unsigned host_counts = 0;
  int home = 0;
  TimeMs at = 0;
  std::uint32_t life = 0;
  Table<std::uint32_t, kHosts> forgets{};
  Table<TimeMs, kHosts> seen{};
  Table<std::uint32_t, kHosts> version{};
  bool counters = false;
  std::vector<std::pair<int, core::TargetReading>> readings;
};

enum class Stage : std::uint8_t { off, standby, waiting, zombies, running, closing };

struct WatchState {
  bool on = false, shown = false;
  DurationMs interval = 0;
  TimeMs polled_at = -kNeverMs, poll_at = 0;
};

// A controller: one process of hitless on one home.
struct Process {
  Stage stage = Stage::off;
  bool alive = false;
  std::uint32_t life = 0;
  TimeMs asleep_since = 0, asleep_until = 0;
  bool starved = false;
  std::int64_t crash_in = 0;  // hooks until it is killed; 0: never
  core::RolloutClock clock;
  core::Controller controller;
  std::size_t folded = 0;  // its state is that after so many entries of the journal
  std::vector<core::Event> inbox;
  std::int64_t epoch = 0;
  Table<TimeMs, kHosts> leased_at{};  // when each host last confirmed the claim
  bool journal_broken = false, put_back = false;
  TimeMs zombies_since = 0;
  int flights = 0;
  TimeMs turn_at = 0;  // 0: none in the queue
  // watches
  WatchState traffic;
  bool counters = false;
  unsigned host_counts = 0;  // bit per host
  Table<WatchState, kHosts> service, health;
  Table<core::ServiceVerdict, kHosts> shown_verdict{};
  Table<int, kHosts> shown_generation{}, verify_against{};
  Table<int, kHosts> shown_workers{}, verify_workers{};
  Table<bool, kHosts> verify_reload{};
  Table<core::TargetReading, kHosts> shown;
  Table<bool, kHosts> shown_valid{};
  Table<std::uint32_t, kHosts> shown_version{}, forgets{};
  Table<TimeMs, kHosts> seen_at{};     // last definite look at it
  Table<bool, kHosts> armed{};         // watchdogs that may be on
  Table<TimeMs, kHosts> counted_at{};  // last count of the host's own connections
  bool polling = false;                // a slow read is under way
};

[[nodiscard]] std::int64_t number_of(const core::Effect& effect);  // of its id
// Who runs on a host, as a driver tells it, and back.
[[nodiscard]] core::ServiceIdentity identity_of(const Host& host);
[[nodiscard]] int workers_of(const core::ServiceIdentity& identity);

struct Broken {
  std::string rule, what;
  TimeMs at = 0;
};

}  // namespace hitless::sim
