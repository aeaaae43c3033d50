// Hosts: the service's process, operations that run by themselves, the fence.
#include <charconv>

#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

constexpr DurationMs kNoticeLongestMs = 600;  // until the load balancer's check sees a change
constexpr DurationMs kBootLongestMs = 15'000;

}  // namespace

// Something that a reading would show is different now.
void World::changed(int i, bool by_us) {
  Host& host = hosts_[i];
  ++version_[i];
  const bool serves = truly_serves(i);
  if (host.serves && !serves) {
    host.bad_since = now_;
    host.bad_by_us = by_us;
  }
  if (!host.serves && serves) {
    host.well_since = now_;
    host.well_by_us = by_us;
  }
  host.serves = serves;
  bool in = false;
  int busy = host.direct;
  for (int node = 0; node < scenario_.nodes; ++node) {
    in |= sends_work(node, i);
    busy += nodes_[node].servers[i].in_flight;
  }
  if (in && !host.in) {
    host.in_since = now_;
    host.in_by_us = by_us;
  }
  host.in = in;
  if (busy > 0 && !host.busy) host.busy_since = now_;
  host.busy = busy > 0;
  for (int home = 0; home < scenario_.homes; ++home) {
    Process& process = homes_[home];
    if (!process.alive || process.stage != Stage::running) continue;
    poll_soon(home);
    WatchState& watch = process.service[i];
    if (!watch.on) continue;
    const TimeMs due = std::max(now_, watch.polled_at + watch.interval);
    if (watch.poll_at != 0 && watch.poll_at <= due) continue;
    watch.poll_at = due;
    at(due - now_, Happens::poll_service, home, i, process.life);
  }
}

void World::begin_host(const Fault& fault, bool on) {
  Host& host = hosts_[fault.host];
  switch (fault.kind) {
    case FaultKind::host_reboot:
      if (on && host.up) reboot(fault.host);
      break;
    case FaultKind::restart_hangs:
      host.hangs = on;
      if (!on && host.hung) process_up(fault.host, host.generation + 1);
      break;
    case FaultKind::restart_sick:
      host.sick = on;
      break;
    case FaultKind::new_config_sick:
      host.new_sick = on;
      break;
    case FaultKind::flaps:
      host.flaps = on;
      if (!on) host.flapping = false;
      break;
    case FaultKind::ssh_refused:
      host.no_ssh = on;
      changed(fault.host, false);
      break;
    case FaultKind::slow_start:
      host.slow = on;
      break;
    case FaultKind::start_limit:
      host.start_limit = on;
      break;
    case FaultKind::disk_full:
      host.disk_full = on;
      break;
    case FaultKind::peer_dies:
      if (!on) {
        process_up(fault.host, host.generation + 1);
        break;
      }
      for (int node = 0; node < scenario_.nodes; ++node) {
        count(node, fault.host);
        nodes_[node].servers[fault.host].in_flight = 0;
      }
      host.running = false;
      host.stopped_by_us = false;
      host.stopped_at = now_;
      at(random_.between(50, kNoticeLongestMs), Happens::check_notices, fault.host);
      changed(fault.host, false);
      break;
    case FaultKind::direct_clients:
      host.direct = on ? 2 : 0;
      changed(fault.host, false);
      break;
    default:
      break;
  }
  if (on || !host.running || host.healthy) return;
  host.healthy = true;  // what made it sick is over
  at(50, Happens::check_notices, fault.host);
  changed(fault.host, false);
}

void World::reboot(int i) {
  Host& host = hosts_[i];
  for (int node = 0; node < scenario_.nodes; ++node) {
    count(node, i);
    nodes_[node].servers[i].in_flight = 0;
  }
  host.up = host.running = host.stopped_by_us = false;
  host.stopped_at = now_;
  host.claim = Claim{};  // lives in /run
  host.operations.clear();
  host.flapping = false;
  at(random_.between(3'000, kBootLongestMs), Happens::boot, i);
  at(random_.between(50, kNoticeLongestMs), Happens::check_notices, i);
  changed(i, false);
}

void World::process_up(int i, int generation) {
  Host& host = hosts_[i];
  if (!host.up || generation <= host.generation) return;
  for (int node = 0; node < scenario_.nodes; ++node) count(node, i);
  host.generation = generation;
  ++host.workers;
  host.old_until = 0;
  host.running = true;
  host.runs_new = host.new_config;
  host.hung = false;
  host.healthy = !host.sick && !(host.new_sick && host.runs_new);
  host.flapping = host.flaps;
  if (!host.healthy) host.sick_since = now_;
  tell("host", [&] {
    return "web0" + std::to_string(i + 1) + ": process " + std::to_string(generation) + " is up" +
           (host.healthy ? "" : ", sick") + (host.flapping ? ", flapping" : "");
  });
  operation_ends(i, core::OutcomeStatus::ok);
  at(random_.between(20, 300), Happens::check_notices, i);
  changed(i, false);
}

// New workers beside those of before, which accept for a while yet.
void World::workers_up(int i, int workers) {
  Host& host = hosts_[i];
  if (!host.up || workers <= host.workers) return;
  if (!host.running) return operation_ends(i, core::OutcomeStatus::failed);  // it died meanwhile
  for (int node = 0; node < scenario_.nodes; ++node) count(node, i);
  const DurationMs linger = fixed_delays ? 100 : random_.between(0, 900);
  host.workers = workers;
  host.old_healthy = host.healthy;
  host.old_until = now_ + linger;
  host.runs_new = host.new_config;
  host.healthy = !host.sick && !(host.new_sick && host.runs_new);
  host.flapping = host.flaps;
  if (!host.healthy) host.sick_since = now_;
  tell("host", [&] {
    return "web0" + std::to_string(i + 1) + ": workers " + std::to_string(workers) + " are up" +
           (host.healthy ? "" : ", sick") + (host.flapping ? ", flapping" : "");
  });
  operation_ends(i, core::OutcomeStatus::ok);
  at(random_.between(20, 300), Happens::check_notices, i);
  at(linger, Happens::workers_gone, i);
  changed(i, true);
}

core::ServiceIdentity identity_of(const Host& host) {
  core::ServiceIdentity identity;
  identity.active = host.running;
  identity.main_pid = host.generation;
  identity.workers = {std::to_string(host.workers)};
  return identity;
}

int workers_of(const core::ServiceIdentity& identity) {
  int workers = 0;
  if (identity.workers.empty()) return workers;
  const std::string& text = identity.workers.front();
  std::from_chars(text.data(), text.data() + text.size(), workers);
  return workers;
}

void World::check_notices(int i) {
  const Host& host = hosts_[i];
  for (int node = 0; node < scenario_.nodes; ++node) {
    count(node, i);
    Server& server = nodes_[node].servers[i];
    server.passes = host.running && host.healthy && !server.cannot_check;
  }
  changed(i, false);
}

void World::request_ends(int i) {
  bool more = false, fewer = false, idle = true;
  for (int node = 0; node < scenario_.nodes; ++node) {
    Server& server = nodes_[node].servers[i];
    idle &= server.admin != Admin::ready;
    if (server.admin == Admin::ready || server.in_flight == 0) continue;
    --server.in_flight;
    fewer = true;
    more |= server.in_flight > 0;
  }
  // Those that came past the load balancer leave last.
  if (scenario_.direct && !more && hosts_[i].direct > 0) {
    if (idle && !fewer) {
      --hosts_[i].direct;
      fewer = true;
    }
    more = idle && hosts_[i].direct > 0;
  }
  if (fewer) changed(i, true);
  if (more) at(std::max<DurationMs>(1, scenario_.drain_ms / 3), Happens::request_ends, i);
}

// ---- operations ---------------------------------------------------------------------------------
Operation* World::find_operation(int i, std::int64_t number) {
  for (Operation& operation : hosts_[i].operations) {
    if (operation.number == number) return &operation;
  }
  return nullptr;
}

// The host's own rule: the claim must be of this epoch and alive by the host's clock. After a
// reboot there is no claim, and then nothing starts until it was taken anew.
bool World::fence_refuses(int i, std::int64_t epoch) const {
  if (planted(ShellBug::no_host_fence)) return false;
  const Claim& claim = hosts_[i].claim;
  if (planted(ShellBug::no_lease_check)) return claim.epoch > epoch;
  return claim.epoch != epoch || now_ > claim.until;
}

void World::land_on_host(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  const int i = flight.host;
  Host& host = hosts_[i];
  const auto answer = [&](core::OutcomeStatus status) {
    const bool lost = lose_reply_ || (links_[flight.home].lost_replies && random_.percent(50));
    lose_reply_ = false;
    if (lost) return;  // asked for again until the deadline, in vain
    at(delay(flight.home), Happens::reply, index, static_cast<int>(status), flight.life);
  };
  if (!host.up || host.no_ssh) return answer(core::OutcomeStatus::unknown);
  if (Operation* known = find_operation(i, flight.number);
      known != nullptr && !planted(ShellBug::unconditional_restart)) {
    if (!known->running) answer(known->status);
    return;  // a running one answers when it ends
  }
  if (fence_refuses(i, flight.effect->epoch)) {
    tell("host", [&] { return flight.effect->instance.value + " refuses " + flight.effect->id; });
    // A refusal is final: who was told so sends it no more, and a stream holds nothing twice.
    host.operations.push_back(Operation{flight.number, 1, false, 0, core::OutcomeStatus::failed});
    return answer(core::OutcomeStatus::failed);
  }
  rule_command(flight, true);
  host.landed_at = now_;
  host.operations.push_back(Operation{flight.number, 1, false, 0, core::OutcomeStatus::ok});
  Operation& operation = host.operations.back();
  if (flight.effect->kind == core::EffectKind::install_config) {
    operation.status = host.disk_full ? core::OutcomeStatus::failed : core::OutcomeStatus::ok;
    if (!host.disk_full) host.new_config = flight.effect->direction == core::Direction::forward;
    return answer(operation.status);
  }
  start_act(flight, operation);
  if (!operation.running) answer(operation.status);
}

// A restart or reload: refused unless what was seen is what still runs.
void World::start_act(Flight& flight, Operation& operation) {
  const int i = flight.host;
  Host& host = hosts_[i];
  const bool expected = flight.effect->expected.main_pid == host.generation;
  if (!expected && !planted(ShellBug::unconditional_restart)) {
    operation.status = core::OutcomeStatus::failed;
    return;
  }
  rule_act(flight);
  ++host.acts;
  host.flapping = false;
  const bool reloads = flight.effect->action == core::Action::reload;
  tell("host",
       [&] { return flight.effect->instance.value + (reloads ? " reloads" : " restarts"); });
  if (reloads) {
    reload_service(i, *flight.effect, operation, flight.home);
  } else {
    restart(i, *flight.effect, operation, flight.home);
  }
  changed(i, true);
}

// It goes on by itself; the host kills it at its deadline.
void World::run_until_deadline(int i, const core::Effect& effect, Operation& operation, int home) {
  operation.running = true;
  const TimeMs left = effect.deadline - homes_[home].clock.at(now_);
  operation.ends_at = now_ + std::max<DurationMs>(left, 1'000);
  if (hosts_[i].hangs || hosts_[i].slow) at(operation.ends_at - now_, Happens::operation_over, i);
}

void World::restart(int i, const core::Effect& effect, Operation& operation, int home) {
  Host& host = hosts_[i];
  const bool slowly = host.slow && !host.start_limit && !host.hangs;
  const DurationMs stops_in = slowly ? random_.between(1'000, 7'000) : 0;
  if (slowly) {
    at(stops_in, Happens::process_stops, i, host.generation);
  } else {
    stop_process(i);
  }
  if (host.start_limit) {
    operation.status = core::OutcomeStatus::failed;
    return;
  }
  host.hung = host.hangs;
  run_until_deadline(i, effect, operation, home);
  if (host.hangs) return;
  const DurationMs takes = fixed_delays ? 100
                           : host.slow  ? stops_in + random_.between(1'000, 3'000)
                                        : random_.between(30, 400);
  at(takes, Happens::process_up, i, host.generation + 1);
}

// The process stays; it makes new workers, or refuses to, which its exit code does not tell.
void World::reload_service(int i, const core::Effect& effect, Operation& operation, int home) {
  Host& host = hosts_[i];
  if (!host.running) {
    operation.status = core::OutcomeStatus::failed;
    return;
  }
  if (host.start_limit) return;  // "ok", and the old workers stay
  run_until_deadline(i, effect, operation, home);
  if (host.hangs) return;
  const DurationMs takes = fixed_delays ? 50
                           : host.slow  ? random_.between(1'000, 7'000)
                                        : random_.between(10, 200);
  at(takes, Happens::workers_up, i, host.workers + 1);
}

void World::process_stops(int i, int generation) {
  const Host& host = hosts_[i];
  if (host.running && host.generation == generation) stop_process(i);
}

void World::stop_process(int i) {
  Host& host = hosts_[i];
  for (int node = 0; node < scenario_.nodes; ++node) {
    count(node, i);
    nodes_[node].servers[i].in_flight = 0;
  }
  host.running = false;
  host.stopped_by_us = true;
  host.stopped_at = now_;
  at(random_.between(50, kNoticeLongestMs), Happens::check_notices, i);
  changed(i, true);
}

// It ran past its deadline and is killed; what it left is a service that is down.
void World::operation_over(int i) {
  for (Operation& operation : hosts_[i].operations) {
    if (!operation.running || now_ < operation.ends_at) continue;
    operation.running = false;
    operation.status = core::OutcomeStatus::failed;
    changed(i, true);
  }
}

void World::operation_ends(int i, core::OutcomeStatus status) {
  for (Operation& operation : hosts_[i].operations) {
    if (!operation.running) continue;
    operation.running = false;
    operation.status = status;
    for (std::size_t f = 0; f < flights_.size(); ++f) {
      const Flight& flight = flights_[f];
      if (!flight.live || flight.host != i || flight.number != operation.number) continue;
      if (links_[flight.home].lost_replies && random_.percent(50)) continue;
      if (reaches_host(flight.home, i))
        at(delay(flight.home), Happens::reply, static_cast<int>(f), static_cast<int>(status),
           flight.life);
    }
  }
}

}  // namespace hitless::sim
