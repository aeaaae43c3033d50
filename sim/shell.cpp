// What the engine's dispatch and the drivers do with an effect: messages there and back, looks,
// deadlines. Each effect has one outcome; what was not answered is unknown.
#include <charconv>
#include <utility>

#include "core/traffic.hpp"
#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

using core::EffectKind;
using core::OutcomeStatus;

constexpr DurationMs kNoAnswerMs = 1'500;  // until a driver takes a lost request for lost
constexpr DurationMs kCloseRetryMs = 500;
constexpr std::int64_t kAgainOffset = 100'000;  // planted: numbers of acts sent again

core::Outcome outcome_of(OutcomeStatus status, const char* detail = "") {
  core::Outcome outcome;
  outcome.status = status;
  outcome.detail = detail;
  return outcome;
}

bool is_lb_command(EffectKind kind) {
  return kind == EffectKind::drain || kind == EffectKind::rejoin ||
         kind == EffectKind::close_remaining;
}

}  // namespace

std::int64_t number_of(const core::Effect& effect) {
  const std::size_t dot = effect.id.rfind('.');
  std::int64_t number = 0;
  const char* begin = effect.id.data();
  std::from_chars(begin + dot + 1, begin + effect.id.size(), number);
  return number;
}

bool World::reaches_host(int home, int i) const {
  return hosts_[i].up && !hosts_[i].no_ssh && (links_[home].no_hosts >> i & 1U) == 0;
}

bool World::reaches_node(int home, int n) const {
  return (links_[home].no_nodes >> n & 1U) == 0;
}

// Shorter than the time after which a controller is started anew: what it sent has landed by then.
DurationMs World::delay(int home) {
  if (fixed_delays) return 5;
  return links_[home].slow ? random_.between(20, 500) : random_.between(1, 8);
}

void World::dispatch(int home, core::Effect effect, bool safe) {
  Process& process = homes_[home];
  Flight flight;
  flight.live = true;
  flight.safe = safe;
  flight.home = home;
  flight.host = index_of(effect.instance);
  flight.life = process.life;
  flight.number = number_of(effect);
  flight.seen = process.seen_at;
  if (flight.host >= 0) flight.counted_at = process.counted_at[flight.host];
  if (effect.kind == EffectKind::drain) process.armed[flight.host] = true;
  const DurationMs left = std::max<DurationMs>(100, effect.deadline - process.clock.at(now_));
  const bool on_host = effect.kind == EffectKind::act || effect.kind == EffectKind::install_config;
  flight.effect = std::make_shared<const core::Effect>(std::move(effect));
  flights_.push_back(std::move(flight));
  const int index = static_cast<int>(flights_.size()) - 1;
  ++process.flights;
  if (on_host) at(left, Happens::flight_over, index, 0, process.life);
  const core::Effect& sent = *flights_.back().effect;
  // Its turn begins with the durable intent, whatever becomes of the command.
  if (sent.kind == EffectKind::drain) rule_foreign(flights_.back());
  strike_aimed(sent);
  if (planted(ShellBug::journal_after_effect)) return send(index);
  at(0, Happens::send, index, 0, process.life);  // after a fault that was aimed at it
}

void World::send(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  if (!flight.live) return;
  const EffectKind kind = flight.effect->kind;
  if (kind == EffectKind::finish) {  // over once no timer of ours is left
    bool all = true;
    Process& process = homes_[flight.home];
    for (int i = 0; i < scenario_.hosts; ++i) {
      if (process.armed[i]) process.armed[i] = !disarm(flight.home, i);
      all &= !process.armed[i];
    }
    const bool late = process.clock.at(now_) >= flight.effect->deadline;
    if (!all && !late) return at(kCloseRetryMs, Happens::send, index, 0, flight.life);
    return finish_flight(index, outcome_of(all ? OutcomeStatus::ok : OutcomeStatus::unknown));
  }
  if (kind == EffectKind::open_incident) {
    core::Outcome outcome = outcome_of(OutcomeStatus::ok);
    outcome.incident = "INC-1";
    return finish_flight(index, std::move(outcome));
  }
  if (is_lb_command(kind)) return send_to_lb(index);
  if (kind == EffectKind::act || kind == EffectKind::install_config) return send_to_host(index);
  at(delay(flight.home), Happens::look_lands, index, 0, flight.life);
}

void World::send_to_lb(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  const int home = flight.home;
  bool gone = false;
  const auto lost = [&] {
    at(kNoAnswerMs, Happens::reply, index, static_cast<int>(OutcomeStatus::unknown), flight.life);
  };
  if (!may_touch(home, flight.host, &gone)) {
    if (!gone) lost();
    return;
  }
  const Link& link = links_[home];
  const bool dropped = lose_request_ || (link.lost_requests && random_.percent(50));
  lose_request_ = false;
  if (!reaches_node(home, flight.node) || dropped) return lost();
  rule_claim(flight);
  const DurationMs takes = delay(home);
  at(takes, Happens::lb_lands, index, flight.node, 0, 0);
  if (link.doubled && random_.percent(50)) at(takes, Happens::lb_lands, index, flight.node, 0, 1);
}

void World::send_to_host(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  const int home = flight.home;
  bool gone = false;
  // What would arrive after its deadline is not sent: nobody would wait for its end any more.
  const TimeMs left = flight.effect->deadline - homes_[home].clock.at(now_);
  if (left < kNoAnswerMs && !planted(ShellBug::retry_with_new_id))
    return finish_flight(index, outcome_of(OutcomeStatus::failed, "too late"));
  const bool asks = flight.effect->kind != EffectKind::act;  // the host itself fences an act
  if (asks && !may_touch(home, flight.host, &gone)) {
    if (!gone)
      at(kNoAnswerMs, Happens::reply, index, static_cast<int>(OutcomeStatus::unknown), flight.life);
    return;
  }
  const Link& link = links_[home];
  const bool dropped = lose_request_ || (link.lost_requests && random_.percent(50));
  lose_request_ = false;
  if (!dropped && reaches_host(home, flight.host)) {
    const DurationMs takes = link.stuck ? random_.between(1'500, 9'000) : delay(home);
    at(takes, Happens::host_lands, index);
    if (link.doubled && random_.percent(50)) at(takes + delay(home), Happens::host_lands, index);
  }
  if (!reaches_host(home, flight.host)) return;  // until the deadline
  // The connection broke: asked again under the same id, so that it runs once.
  if (left > 3 * kNoAnswerMs && (dropped || link.lost_replies))
    at(2 * kNoAnswerMs, Happens::host_lands, index);
}

void World::look(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  if (!flight.live) return;
  const int i = flight.host, home = flight.home;
  core::Outcome outcome = outcome_of(OutcomeStatus::ok);
  const bool lost = links_[home].lost_probes && random_.percent(40);
  switch (flight.effect->kind) {
    case EffectKind::preflight:
      outcome = preflight(flight);
      break;
    case EffectKind::recheck:
      if (lost || (links_[home].no_hosts >> i & 1U) != 0) {
        outcome = outcome_of(OutcomeStatus::unknown, "health: no answer");
      } else if (!hosts_[i].running || !hosts_[i].healthy) {
        outcome = outcome_of(OutcomeStatus::failed, "health: it fails");
      }
      break;
    case EffectKind::confirm_out:
      outcome = confirm_out(flight);
      break;
    case EffectKind::diagnose:
      outcome.diagnosis = core::Diagnosis{};
      outcome.diagnosis->peers_checked = scenario_.hosts - 1;
      break;
    default:
      break;
  }
  finish_flight(index, std::move(outcome));
}

core::Outcome World::preflight(const Flight& flight) {
  const int i = flight.host;
  core::Outcome outcome = outcome_of(OutcomeStatus::ok);
  outcome.preflight = core::PreflightReport{};
  core::PreflightReport& report = *outcome.preflight;
  const auto block = [&](const char* name, core::CheckStatus status) {
    report.checks.push_back(core::Check{name, status, "", ""});
  };
  if (!reaches_host(flight.home, i)) {
    block("Host", core::CheckStatus::unknown);
    return outcome;
  }
  const core::TargetReading reading = read_target(homes_[flight.home], i, false, 0);
  const bool out = reading.state == core::TargetState::out ||
                   reading.state == core::TargetState::draining ||
                   reading.state == core::TargetState::leaving;
  if (out) report.skip_reason = "out of rotation by someone else's hand";
  if (reading.state == core::TargetState::unknown)
    block("Load balancer", core::CheckStatus::unknown);
  if (reading.state == core::TargetState::in_unhealthy)
    block("Load balancer healthcheck", core::CheckStatus::fail);
  if (hosts_[i].disk_full) block("Disk", core::CheckStatus::fail);
  report.identity = identity_of(hosts_[i]);
  report.baseline = core::LatencyBaseline{20, 4'000, 6'000};
  return outcome;
}

core::Outcome World::confirm_out(const Flight& flight) {
  const int i = flight.host;
  Process& process = homes_[flight.home];
  const bool host_count = scenario_.plan.policy.drain.host_count;
  if (!reaches_host(flight.home, i)) return outcome_of(OutcomeStatus::unknown, "host not reached");
  const Link& link = links_[flight.home];
  const bool lost = (link.lost_requests || link.lost_replies) && random_.percent(30);
  core::Outcome outcome = outcome_of(OutcomeStatus::ok, "0 in flight");
  outcome.reading = read_target(process, i, host_count, lost ? 1U : 0U);
  outcome.before = identity_of(hosts_[i]);
  const auto left = core::in_flight(*outcome.reading, host_count);
  if (outcome.reading->state == core::TargetState::out && left == 0) {
    TimeMs fresh = now_;
    for (int n = 0; n < scenario_.nodes; ++n) {
      if (nodes_[n].stale) fresh = std::min(fresh, nodes_[n].stale_since);
    }
    process.seen_at[i] = std::max(process.seen_at[i], fresh);
    process.counted_at[i] = now_;
    return outcome;
  }
  outcome.status = left ? OutcomeStatus::failed : OutcomeStatus::unknown;
  outcome.detail = "last look: not out";
  return outcome;
}

void World::reply(int index, OutcomeStatus status) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  if (!flight.live) return;
  const EffectKind kind = flight.effect->kind;
  if (is_lb_command(kind) && status == OutcomeStatus::ok && ++flight.node < scenario_.nodes) {
    return send_to_lb(index);
  }
  core::Outcome outcome = outcome_of(status);
  if (kind == EffectKind::install_config && status == OutcomeStatus::ok)
    outcome.before = identity_of(hosts_[flight.host]);
  finish_flight(index, std::move(outcome));
}

// Its deadline has passed.
void World::flight_over(int index) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  if (!flight.live) return;
  if (planted(ShellBug::retry_with_new_id) && flight.effect->kind == EffectKind::act &&
      flight.number < kAgainOffset) {
    flight.number += kAgainOffset;
    return send_to_host(index);
  }
  finish_flight(index, outcome_of(OutcomeStatus::unknown, "no answer before the deadline"));
}

void World::finish_flight(int index, core::Outcome outcome) {
  Flight& flight = flights_[static_cast<std::size_t>(index)];
  const int home = flight.home;
  Process& process = homes_[home];
  flight.live = false;
  if (!process.alive || process.life != flight.life) return;
  --process.flights;
  if (process.journal_broken) {
    if (process.flights == 0) put_back(home);
    return;
  }
  if (flight.host >= 0) forget(home, flight.host);
  arrive(home, core::EffectFinished{flight.effect->id, std::move(outcome)});
}

}  // namespace hitless::sim
