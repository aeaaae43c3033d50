// The life of a controller: claim, journal, takeover, run loop, end. What the engine does around
// the core, step by step; a hook stands at each place where a kill could strike.
#include <utility>

#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

constexpr DurationMs kRetryMs = 2'000, kStandbyMs = 5'000;
constexpr DurationMs kZombieLookMs = 500;
constexpr DurationMs kRestartMs = 3'000;  // until somebody types `hitless resume`
constexpr DurationMs kLeaseMarginMs = 1'000;
constexpr int kMaxRounds = 1'000;

}  // namespace

void World::start_process(int home) {
  Process& process = homes_[home];
  if (process.alive || store_.ended) return;
  const std::uint32_t life = process.life + 1;
  process = Process{};
  process.life = life;
  process.alive = true;
  process.stage = Stage::standby;
  tell("ctl", [&] { return "controller " + std::to_string(home + 1) + " starts"; });
  at(1, Happens::acquire, home, 0, life);
}

void World::kill(int home, const char* why) {
  Process& process = homes_[home];
  if (!process.alive) return;
  process.alive = false;
  process.stage = Stage::off;
  tell("ctl", [&] { return "controller " + std::to_string(home + 1) + " dies: " + why; });
  for (Flight& flight : flights_) {
    if (flight.home == home) flight.live = false;
  }
  if (scenario_.somebody_resumes) at(random_.between(1'000, 12'000), Happens::start_process, home);
}

// It stops by itself: replaced by another, or the journal cannot be written, or all is done.
void World::leave(int home, const char* why) {
  Process& process = homes_[home];
  if (!process.alive) return;
  process.alive = false;
  process.stage = Stage::off;
  tell("ctl", [&] { return "controller " + std::to_string(home + 1) + " ends: " + why; });
  for (Flight& flight : flights_) {
    if (flight.home == home) flight.live = false;
  }
  if (scenario_.somebody_resumes && !store_.ended) at(kRestartMs, Happens::start_process, home);
}

bool World::hook(int home) {
  Process& process = homes_[home];
  if (process.crash_in > 0 && --process.crash_in == 0) kill(home, "killed at a crash point");
  return process.alive;
}

// ---- the claim ----------------------------------------------------------------------------------
void World::acquire(int home) {
  Process& process = homes_[home];
  if (store_.ended) return leave(home, "nothing left to do");
  std::int64_t highest = store_.epoch;
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (!reaches_host(home, i)) return at(kRetryMs, Happens::acquire, home, 0, process.life);
    const Claim& claim = hosts_[i].claim;
    highest = std::max(highest, claim.epoch);
    const bool lives = claim.epoch > 0 && claim.home != home && now_ <= claim.until;
    if (lives && !planted(ShellBug::takeover_without_waiting))
      return at(kStandbyMs, Happens::acquire, home, 0, process.life);
  }
  process.epoch = highest + 1;
  store_.epoch = process.epoch;
  for (int i = 0; i < scenario_.hosts; ++i) {
    hosts_[i].claim = Claim{process.epoch, home, now_ + kLeaseTtlMs};
    process.leased_at[i] = now_;
  }
  process.stage = Stage::waiting;
  tell("ctl", [&] {
    return "controller " + std::to_string(home + 1) + " holds epoch " +
           std::to_string(process.epoch);
  });
  // Commands of another home's controller may still be on their way.
  const bool same_home = last_holder_ == -1 || last_holder_ == home;
  const bool wait = !same_home && !planted(ShellBug::takeover_without_waiting);
  last_holder_ = home;
  at(wait ? kLongestOperationMs : 1, Happens::load_journal, home, 0, process.life);
  at(kHeartbeatMs, Happens::heartbeat, home, 0, process.life);
}

// Extends the claim where it is ours. One that is gone (the host rebooted) is taken anew only when
// it had not run out, every other host still says it is ours, and the journal too: somebody may
// have replaced us meanwhile, and may be gone already. One that ran out and is gone ends us.
bool World::renew_all(int home) {
  Process& process = homes_[home];
  int reached = 0;
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (!reaches_host(home, i)) continue;
    ++reached;
    if (hosts_[i].claim.epoch > process.epoch) {
      leave(home, "another controller holds the claim");
      return false;
    }
    const bool ran_out = now_ - process.leased_at[i] >= kLeaseTtlMs;
    if (hosts_[i].claim.epoch < process.epoch && ran_out && !planted(ShellBug::no_lease_check)) {
      leave(home, "its claim ran out");
      return false;
    }
  }
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (!reaches_host(home, i)) continue;
    Claim& claim = hosts_[i].claim;
    const bool journal_is_ours = !store_.down && store_.epoch == process.epoch;
    if (claim.epoch != process.epoch && (reached < scenario_.hosts || !journal_is_ours)) continue;
    claim = Claim{process.epoch, home, now_ + kLeaseTtlMs};
    process.leased_at[i] = now_;
  }
  return true;
}

// Asked just before anything is changed at an instance. False with *gone: this controller is over.
bool World::may_touch(int home, int i, bool* gone) {
  Process& process = homes_[home];
  *gone = false;
  const bool fresh = now_ - process.leased_at[i] < kLeaseTtlMs - kLeaseMarginMs;
  const Claim& claim = hosts_[i].claim;
  if (planted(ShellBug::no_lb_check)) return true;
  if (planted(ShellBug::no_lease_check)) {
    *gone = reaches_host(home, i) && claim.epoch > process.epoch;
    if (*gone) leave(home, "another controller holds the claim");
    return !*gone;
  }
  if (!reaches_host(home, i)) return false;
  if (!fresh || claim.epoch != process.epoch) {
    *gone = !renew_all(home);
    if (*gone) return false;
  }
  return claim.epoch == process.epoch && now_ - process.leased_at[i] < kLeaseTtlMs - kLeaseMarginMs;
}

void World::heartbeat(int home) {
  Process& process = homes_[home];
  if (!renew_all(home)) return;
  if (process.stage == Stage::running) arm_and_disarm(home, true);
  if (process.stage == Stage::closing) close(home);
  if (process.alive) at(kHeartbeatMs, Happens::heartbeat, home, 0, process.life);
}

// ---- watchdogs ----------------------------------------------------------------------------------
// `again`: moves the end of those that are on.
void World::arm_and_disarm(int home, bool again) {
  Process& process = homes_[home];
  const core::State& state = process.controller.state();
  for (int i = 0; i < static_cast<int>(state.instances.size()); ++i) {
    const core::Instance& instance = state.instances[static_cast<std::size_t>(i)];
    // Left out on purpose is no business of the watchdog, once somebody was told.
    const bool on_purpose = core::name_of(instance.phase) == core::PhaseName::quarantined;
    const bool wanted = instance.taken_out && !(on_purpose && !state.incident.empty());
    if (!wanted) {
      if (process.armed[i]) process.armed[i] = !disarm(home, i);
      continue;
    }
    process.armed[i] = true;
    if (!again) continue;
    for (int n = 0; n < scenario_.nodes; ++n) {
      Server& server = nodes_[n].servers[i];
      if (!reaches_node(home, n) || planted(ShellBug::watchdog_not_armed)) continue;
      server.watchdog_epoch = process.epoch;
      server.watchdog_at = now_ + kWatchdogMs;
      if (!std::exchange(server.watchdog_queued, true))
        at(kWatchdogMs, Happens::watchdog_fires, n, i);
    }
  }
}

bool World::disarm(int home, int i) {
  if (planted(ShellBug::watchdog_not_disarmed)) return true;
  bool all = true;
  for (int n = 0; n < scenario_.nodes; ++n) {
    Server& server = nodes_[n].servers[i];
    if (server.watchdog_at != 0 && server.watchdog_epoch > homes_[home].epoch) continue;
    server.out_of_reach = !reaches_node(home, n);
    all &= !server.out_of_reach;
    if (!server.out_of_reach) server.watchdog_at = 0;
  }
  return all;
}

// ---- the journal --------------------------------------------------------------------------------
void World::load_journal(int home) {
  Process& process = homes_[home];
  if (store_.epoch > process.epoch) return leave(home, "another controller holds the claim");
  if (store_.down || std::exchange(store_.compacted, false))
    return at(kRetryMs, Happens::load_journal, home, 0, process.life);
  core::State state;
  std::size_t readable = store_.entries.size();
  if (store_.lags && planted(ShellBug::stale_journal_read))
    readable -= std::min<std::size_t>(readable, 4);
  for (std::size_t k = 0; k < readable; ++k)
    core::apply_to(state, store_.entries[k]->event, store_.entries[k]->at);
  bool read_torn = false;
  if (store_.torn) {
    read_torn = planted(ShellBug::torn_tail_accepted);
    if (read_torn) core::apply_to(state, store_.torn->event, store_.torn->at);
    tell("ctl", [] { return std::string("the journal's torn end is cut off"); });
    store_.torn.reset();
  }
  if (readable != store_.entries.size() || read_torn)
    return violate("I8", "what was read of the journal is not what was committed");
  granted_epoch_ = std::max(granted_epoch_, process.epoch);
  process.clock =
      core::RolloutClock(kWallMs + now_ + links_[home].wall_offset, now_, store_.last_at);
  if (store_.entries.empty()) {
    if (home != 0) {
      give_back(home);
      return leave(home, "no rollout to take over");
    }
    process.stage = Stage::running;
    if (record(home, {core::RolloutStarted{scenario_.plan, "root@ctl1", process.epoch}}))
      turn(home);
    return;
  }
  if (faults_over_ && ++takeovers_after_faults_ > 10)
    return violate("I5", "more than 10 takeovers after the faults have ceased");
  process.controller = core::Controller(std::move(state));
  process.folded = readable;
  if (process.controller.state().ended) {
    if (!std::exchange(store_.ended, true)) {  // the answer to its last write was lost
      result_ = process.controller.state().ended;
      rule_end();
    }
    return close(home);
  }
  process.stage = Stage::zombies;
  process.zombies_since = now_;
  await_zombies(home);
}

// An operation that the old controller started goes on by itself: its end is waited for.
void World::await_zombies(int home) {
  Process& process = homes_[home];
  const core::State& state = process.controller.state();
  // By no wall clock: it may have been set meanwhile. A host kills what runs past its deadline.
  const bool waited = now_ - process.zombies_since >= 2 * kLongestOperationMs;
  for (int i = 0; i < static_cast<int>(state.instances.size()); ++i) {
    const auto& pending = state.instances[static_cast<std::size_t>(i)].pending;
    if (!pending || planted(ShellBug::zombies_not_awaited)) continue;
    const core::EffectKind kind = pending->effect.kind;
    if (kind != core::EffectKind::act && kind != core::EffectKind::install_config) continue;
    bool running = !reaches_host(home, i);
    for (const Operation& operation : hosts_[i].operations) running |= operation.running;
    if (running && !waited) return at(kZombieLookMs, Happens::zombies, home, 0, process.life);
  }
  process.armed.fill(true);  // whatever the old one armed
  record_outcomes_left_behind(home);
  if (!process.alive || process.journal_broken) return;
  process.stage = Stage::running;
  ++takeovers_;
  const std::string who = "root@ctl" + std::to_string(home + 1);
  if (!record(home, {core::ControllerTookOver{process.epoch, who}})) return;
  arm_and_disarm(home, true);
  turn(home);
}

// What the hosts know of acts that the old controller started.
void World::record_outcomes_left_behind(int home) {
  const core::State& state = homes_[home].controller.state();
  std::vector<core::Event> events;
  for (int i = 0; i < scenario_.hosts; ++i) {
    const auto& pending = state.instances[static_cast<std::size_t>(i)].pending;
    if (!pending || pending->effect.kind != core::EffectKind::act || !reaches_host(home, i))
      continue;
    const Operation* operation = find_operation(i, number_of(pending->effect));
    if (operation == nullptr || operation->running) continue;
    core::Outcome outcome;
    outcome.status = operation->status;
    events.push_back(core::EffectFinished{pending->effect.id, std::move(outcome)});
  }
  if (!events.empty()) record(home, std::move(events));
}

// True when the events are durable and this controller is still there to know it.
bool World::append(int home, std::vector<core::Event> events) {
  Process& process = homes_[home];
  if (!hook(home)) return false;
  if (store_.epoch > process.epoch && !planted(ShellBug::old_epoch_appends)) {
    leave(home, "the journal belongs to another controller");
    return false;
  }
  if (store_.down || store_.full) {
    journal_broke(home);
    return false;
  }
  if (process.epoch < granted_epoch_) violate("I4", "the journal took an entry of an old epoch");
  const TimeMs when = std::max(process.clock.at(now_), process.controller.state().now);
  const auto entry_of = [&](core::Event event) {
    const auto seq = static_cast<std::int64_t>(store_.entries.size()) + 1;
    return std::make_shared<const core::Entry>(seq, "R-1", when, std::move(event));
  };
  if (std::exchange(store_.tear_next, false)) {
    store_.torn = entry_of(std::move(events.front()));
    kill(home, "power lost in the middle of a write");
    return false;
  }
  for (core::Event& event : events) {
    hash_event(event);
    if (const auto* intended = std::get_if<core::EffectIntended>(&event))
      store_.intents.set(static_cast<std::size_t>(number_of(intended->effect)));
    store_.entries.push_back(entry_of(std::move(event)));
  }
  store_.started = true;
  store_.last_at = when;
  if (std::exchange(store_.unknown_result, false)) {
    journal_broke(home);
    return false;
  }
  return hook(home);
}

bool World::record(int home, std::vector<core::Event> events) {
  Process& process = homes_[home];
  const std::uint32_t life = process.life;
  std::size_t first = store_.entries.size();
  if (!append(home, std::move(events)) || process.life != life) return false;
  for (; first < store_.entries.size(); ++first) {
    const core::Entry& entry = *store_.entries[first];
    if (auto broken = process.controller.journaled(entry.event, entry.at))
      violate(("core " + broken->rule).c_str(), broken->what);
    if (transcript != nullptr) note_event(home, entry.event);
  }
  process.folded = first;
  const core::State& state = process.controller.state();
  if (state.ended && !store_.ended) {
    store_.ended = true;
    result_ = state.ended;
    ended_at_ = now_;
    rule_end();
  }
  return !broken_;
}

// Nothing new is begun; what was taken out and not changed is put back; then it ends, and somebody
// has to resume.
void World::journal_broke(int home) {
  Process& process = homes_[home];
  if (process.journal_broken) return;
  process.journal_broken = true;
  process.inbox.clear();
  tell("ctl", [&] { return "controller " + std::to_string(home + 1) + ": journal not written"; });
  if (process.flights == 0) put_back(home);
}

void World::put_back(int home) {
  Process& process = homes_[home];
  if (std::exchange(process.put_back, true)) return leave(home, "the journal cannot be written");
  const core::State& state = process.controller.state();
  std::vector<core::InstanceId> back = core::safe_to_put_back(state);
  if (planted(ShellBug::unsafe_put_back)) {
    back.clear();
    for (const core::Instance& instance : state.instances) {
      if (instance.taken_out) back.push_back(instance.plan.id);
    }
  }
  for (core::InstanceId& id : back) {
    core::Effect effect;
    effect.id = "R-1.0";
    effect.epoch = process.epoch;
    effect.kind = core::EffectKind::rejoin;
    effect.deadline = process.clock.at(now_) + kLongestOperationMs;
    effect.instance = std::move(id);
    dispatch(home, std::move(effect), true);
  }
  if (process.flights == 0) leave(home, "the journal cannot be written");
}

// ---- the run loop -------------------------------------------------------------------------------
void World::wake_at(int home, TimeMs when) {
  Process& process = homes_[home];
  when = std::max(when, now_);
  if (process.turn_at != 0 && process.turn_at <= when) return;
  process.turn_at = when;
  at(when - now_, Happens::turn, home, 0, process.life);
}

void World::turn(int home) {
  Process& process = homes_[home];
  if (now_ < process.turn_at) return;  // a later one was put off
  process.turn_at = 0;
  if (process.stage != Stage::running || process.journal_broken) return;
  if (!process.inbox.empty()) {
    core::Turn turn =
        process.controller.take(std::exchange(process.inbox, {}), process.clock.at(now_));
    if (turn.broken) return violate(("core " + turn.broken->rule).c_str(), turn.broken->what);
    if (!record(home, std::move(turn.events))) return;
  }
  for (int round = 0; round < kMaxRounds; ++round) {
    if (process.controller.state().ended) return close(home);
    const TimeMs now = std::max(process.clock.at(now_), process.controller.state().now);
    core::Turn turn = process.controller.next(now);
    if (turn.broken) return violate(("core " + turn.broken->rule).c_str(), turn.broken->what);
    const bool late = planted(ShellBug::journal_after_effect);
    if (late) {
      for (core::Effect& effect : turn.effects) dispatch(home, effect);
    }
    if (!turn.events.empty() && !record(home, std::move(turn.events))) return;
    if (!turn.at_rest) continue;
    for (core::Effect& effect : turn.effects) {
      if (late) break;
      if (!hook(home)) return;
      dispatch(home, std::move(effect));
    }
    arm_and_disarm(home, false);
    keep(home, turn.watches);
    if (turn.wake_at) wake_at(home, now_ + (*turn.wake_at - now));
    return;
  }
  violate("I5", "the decision does not come to rest");
}

// The rollout has ended: watchdogs off, claim given back.
void World::close(int home) {
  Process& process = homes_[home];
  process.stage = Stage::closing;
  bool all = true;
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (process.armed[i]) process.armed[i] = !disarm(home, i);
    all &= !process.armed[i];
  }
  if (!all) return;  // with the next heartbeat
  give_back(home);
  leave(home, "the rollout has ended");
}

void World::give_back(int home) {
  for (Host& host : hosts_) {
    if (host.claim.epoch == homes_[home].epoch) host.claim.until = now_ - 1;
  }
}

}  // namespace hitless::sim
