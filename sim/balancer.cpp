// The load balancer's nodes: who is sent work, what a reading says, the watchdog's timers on them.
#include <algorithm>
#include <utility>

#include "core/traffic.hpp"
#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

constexpr DurationMs kRequestEveryMs = 20;    // at each instance, from each node
constexpr DurationMs kChecksUnknownMs = 300;  // after a reload of the load balancer
constexpr int kUsualInFlight = 3;

}  // namespace

bool World::sends_work(int n, int i) const {
  const Server& server = nodes_[n].servers[i];
  return server.admin == Admin::ready &&
         (server.passes || !scenario_.lb_checks || nodes_[n].fails_open);
}

// Healthy and in rotation, in truth: on every node, and able to serve.
bool World::truly_serves(int i) const {
  const Host& host = hosts_[i];
  if (!host.up || !host.running || !host.healthy) return false;
  for (int n = 0; n < scenario_.nodes; ++n) {
    if (!sends_work(n, i)) return false;
  }
  return true;
}

// Brings a server's counters up to now; called before anything about it changes.
void World::count(int n, int i) {
  Server& server = nodes_[n].servers[i];
  const std::int64_t requests = (now_ - server.counted_at) / kRequestEveryMs;
  if (requests <= 0) return;
  server.counted_at += requests * kRequestEveryMs;
  if (!sends_work(n, i)) return;
  server.requests += requests;
  // Refused connections are tried again elsewhere; a share of them is counted as the server's.
  if (!hosts_[i].running || !hosts_[i].healthy) server.errors += requests;
}

void World::set_admin(int n, int i, Admin admin, bool by_us) {
  count(n, i);
  Server& server = nodes_[n].servers[i];
  const Admin before = server.admin;
  server.admin = admin;
  server.by_us = by_us;
  if (admin == Admin::ready && before != Admin::ready && hosts_[i].running)
    server.in_flight = kUsualInFlight;
  if (admin == Admin::ready && scenario_.direct) hosts_[i].direct = 1;
  if (admin != Admin::ready && before == Admin::ready)
    at(std::max<DurationMs>(1, scenario_.drain_ms / 3), Happens::request_ends, i);
  changed(i, by_us);
}

// A command of a controller arrives at a node.
void World::land_on_lb(int index, int n, bool again) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  const auto answer = [&](core::OutcomeStatus status) {
    const bool lost = lose_reply_ || (links_[flight.home].lost_replies && random_.percent(50));
    lose_reply_ = false;
    if (again) return;
    at(lost ? 1'500 : delay(flight.home), Happens::reply, index,
       static_cast<int>(lost ? core::OutcomeStatus::unknown : status), flight.life);
  };
  LbNode& node = nodes_[n];
  if (node.refuses) return answer(core::OutcomeStatus::unknown);
  const int i = flight.host;
  rule_command(flight, false);
  Server& server = node.servers[i];
  hosts_[i].landed_at = now_;
  const auto say = [&](const char* what) {
    tell("lb", [&] {
      return "lb-" + std::to_string(n + 1) + ": " + flight.effect->instance.value + " " + what;
    });
  };
  if (flight.effect->kind == core::EffectKind::drain) {
    if (!planted(ShellBug::watchdog_not_armed)) {
      server.watchdog_epoch = flight.effect->epoch;
      server.watchdog_at = now_ + kWatchdogMs;
      if (!std::exchange(server.watchdog_queued, true))
        at(kWatchdogMs, Happens::watchdog_fires, n, i);
    }
    rule_drain(flight);
    if (server.admin == Admin::ready) set_admin(n, i, Admin::drain, true);
    say("drain");
  } else if (flight.effect->kind == core::EffectKind::rejoin) {
    if (server.admin == Admin::maint && !server.by_us) return answer(core::OutcomeStatus::failed);
    if (server.admin != Admin::ready) rule_rejoin(flight);
    hosts_[i].ours = false;
    set_admin(n, i, Admin::ready, true);
    // What still keeps it out is not our doing, and cannot be seen where the numbers are old.
    Host& host = hosts_[i];
    if (!host.serves && host.running && host.healthy && in_on_all_nodes(i) && any_node_is_stale()) {
      host.bad_by_us = false;
      host.bad_since = now_;
    }
    say("ready");
  } else {
    server.in_flight = 0;
    changed(i, true);
    say("remaining sessions closed");
  }
  answer(core::OutcomeStatus::ok);
}

void World::reload(int n) {
  LbNode& node = nodes_[n];
  ++node.reloads;
  node.checks_known_at = now_ + kChecksUnknownMs;
  for (int i = 0; i < scenario_.hosts; ++i) {
    count(n, i);
    Server& server = node.servers[i];
    server.requests = server.errors = 0;
    if (server.admin == Admin::drain) set_admin(n, i, Admin::ready, false);
    changed(i, false);
    at(kChecksUnknownMs, Happens::check_notices, i);
  }
}

void World::begin_lb(const Fault& fault, bool on) {
  LbNode& node = nodes_[fault.node];
  const auto toggle = [&](int n) {
    const Admin now = node.servers[fault.host].admin;
    set_admin(n, fault.host, now == Admin::ready ? Admin::maint : Admin::ready, false);
  };
  switch (fault.kind) {
    case FaultKind::lb_reload:
      if (on) reload(fault.node);
      return;
    case FaultKind::lb_stale:
      node.stale = on;
      node.stale_since = now_;
      node.old = node.servers;
      node.old_reloads = node.reloads;
      break;
    case FaultKind::lb_refuses:
      node.refuses = on;
      break;
    case FaultKind::lb_fails_open:
      node.fails_open = on;
      break;
    case FaultKind::lb_human:
      if (!on) return;
      for (int n = scenario_.nodes - 1; n >= 0; --n) toggle(n);
      return;
    case FaultKind::lb_node_disagrees:
      if (fault.n % 2 == 0) {
        if (on) toggle(fault.node);
        return;
      }
      node.servers[fault.host].cannot_check = on;
      return check_notices(fault.host);
    default:
      return;
  }
  for (int i = 0; i < scenario_.hosts; ++i) {
    count(fault.node, i);
    changed(i, false);
  }
}

void World::watchdog_fires(int n, int i) {
  Server& server = nodes_[n].servers[i];
  server.watchdog_queued = false;
  if (server.watchdog_at == 0) return;
  if (now_ < server.watchdog_at) {
    server.watchdog_queued = true;
    return at(server.watchdog_at - now_, Happens::watchdog_fires, n, i);
  }
  server.watchdog_at = 0;
  if (server.admin != Admin::drain || !server.by_us) return;
  tell("watchdog", [&] {
    return "lb-" + std::to_string(n + 1) + ": web0" + std::to_string(i + 1) +
           (scenario_.lb_checks ? " put back" : " flagged");
  });
  if (!scenario_.lb_checks) {
    server.alarm = true;
    return;
  }
  const core::State* state = durable_state();
  const auto& instance = state->instances[static_cast<std::size_t>(i)];
  // With every controller dead or asleep in mid-rollout it is what the watchdog is for. A timer on
  // a node that was out of reach until the rollout's end cannot have been disarmed.
  const bool somebody = std::any_of(homes_.begin(), homes_.end(), [&](const Process& process) {
    return process.stage == Stage::running && process.asleep_until <= now_;
  });
  const bool on_purpose = core::name_of(instance.phase) == core::PhaseName::quarantined;
  const bool could = state->ended ? !server.out_of_reach : somebody;
  if (on_purpose && !state->incident.empty() && could)
    violate("I7", instance.plan.id.value + " was quarantined and the watchdog put it back");
  set_admin(n, i, Admin::ready, true);
}

// One instance over all nodes, as a driver reports it and the core merges it.
core::TargetReading World::read_target(const Process& from, int i, bool count_on_host,
                                       unsigned lost_nodes) {
  static thread_local std::array<core::TargetReport, kNodes> reports;
  const int home = static_cast<int>(&from - homes_.data());
  for (int n = 0; n < scenario_.nodes; ++n) {
    core::TargetReport& report = reports[static_cast<std::size_t>(n)];
    const LbNode& node = nodes_[n];
    report.check = core::LbCheck::unknown;
    report.in_flight.reset();
    report.requests.reset();
    report.errors.reset();
    report.idle.reset();
    report.epoch.clear();
    report.admin = core::AdminState::unknown;
    if (!reaches_node(home, n) || node.refuses || (lost_nodes >> n & 1U) != 0) continue;
    if (!node.stale) count(n, i);
    const Server& server = node.stale ? node.old[i] : node.servers[i];
    report.admin = server.admin == Admin::ready   ? core::AdminState::ready
                   : server.admin == Admin::drain ? core::AdminState::drain
                                                  : core::AdminState::maint;
    if (!scenario_.lb_checks) {
      report.check = core::LbCheck::none;
    } else if (now_ < node.checks_known_at) {
      report.check = core::LbCheck::unknown;
    } else {
      report.check = server.passes || node.fails_open ? core::LbCheck::pass : core::LbCheck::fail;
    }
    report.in_flight = server.in_flight;
    report.requests = server.requests;
    report.errors = server.errors;
    report.idle = 0;
    report.epoch = std::to_string(node.stale ? node.old_reloads : node.reloads);
  }
  core::TargetReading reading =
      core::merge(std::span(reports).first(static_cast<std::size_t>(scenario_.nodes)));
  // A host that is busy with clients of its own answers seldom.
  const int answers = scenario_.direct ? 15 : 60;
  const bool counted = !links_[home].lost_probes || random_.percent(answers);
  if (count_on_host && counted && reaches_host(home, i)) {
    std::int64_t connections = hosts_[i].direct;
    for (int n = 0; n < scenario_.nodes; ++n) connections += nodes_[n].servers[i].in_flight;
    reading.host_connections = connections;
  }
  return reading;
}

}  // namespace hitless::sim
