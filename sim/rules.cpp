// The rules of core/invariants once more, and more strictly: against what is true in this world. A
// controller can only know what it could see, so what a fault did after its last look is excused;
// what a controller of ours did never is.
#include <utility>

#include "sim/planted.hpp"
#include "sim/world.hpp"

namespace hitless::sim {
namespace {

// A check of the load balancer needs some time to notice (kNoticeLongestMs in hosts.cpp); what
// somebody orders at the load balancer shows at once.
constexpr DurationMs kCheckLagMs = 600, kAtOnceMs = 0;
constexpr std::uint64_t kReplayEvery = 4;  // I10: the journals of these seeds are replayed

}  // namespace

void World::violate(const char* rule, std::string what) {
  if (broken_) return;
  tell("RULE", [&] { return std::string(rule) + " is broken: " + what; });
  broken_ = Broken{rule, std::move(what), now_};
}

bool World::excused(const Flight& flight, int i, TimeMs since, DurationMs lag) const {
  return flight.seen[i] > 0 && since >= flight.seen[i] - lag;
}

// I3 and I4, for everything that a controller changes in the world.
void World::rule_command(const Flight& flight, bool touches_host) {
  if (!flight.safe && !store_.intents[static_cast<std::size_t>(number_of(*flight.effect))])
    violate("I3", "effect " + flight.effect->id + " starts, and its intent is not durable");
  if (flight.effect->epoch < granted_epoch_)
    violate("I4", std::string("effect ") + flight.effect->id + " of an old epoch changes " +
                      (touches_host ? "a host" : "the load balancer"));
  if (touches_host) rule_claim(flight);
}

// I4, as the engine promises it: a command leaves only while its controller holds the instance's
// host. An act is held against the same when it arrives, by the host.
void World::rule_claim(const Flight& flight) {
  const Claim& claim = hosts_[flight.host].claim;
  if (claim.epoch == flight.effect->epoch && now_ <= claim.until) return;
  violate("I4", "effect " + flight.effect->id + " starts, and its controller's claim on " +
                    flight.effect->instance.value + " is over");
}

// I7, the other way round: what a human took out before our turn is left alone.
void World::rule_foreign(const Flight& flight) {
  const Host& host = hosts_[flight.host];
  if (std::exchange(hosts_[flight.host].worked_on, true)) return;
  for (int n = 0; n < scenario_.nodes; ++n) {
    const Server& server = nodes_[n].servers[flight.host];
    const bool human = server.admin == Admin::maint && !server.by_us;
    if (human && !host.ours && !excused(flight, flight.host, host.bad_since, kAtOnceMs))
      violate("I7", flight.effect->instance.value + " was taken out by someone else");
  }
}

// I1: who serves besides this one, whatever a controller believes.
void World::rule_drain(const Flight& flight) {
  rule_foreign(flight);
  const bool again = std::exchange(hosts_[flight.host].ours, true);
  const Host& self = hosts_[flight.host];
  const bool just_came =
      !self.well_by_us && excused(flight, flight.host, self.well_since, kAtOnceMs);
  if (again || !self.serves || just_came) return;
  std::int64_t others = 0;
  for (int i = 0; i < scenario_.hosts; ++i) {
    if (i == flight.host) continue;
    const Host& host = hosts_[i];
    const bool just_died = in_on_all_nodes(i) && excused(flight, i, host.stopped_at, kCheckLagMs);
    const bool unknowable =
        excused(flight, i, host.bad_since, kCheckLagMs) || !scenario_.lb_checks || any_node_lies();
    const bool unseen = just_died || (!host.bad_by_us && unknowable);
    others += host.serves || unseen ? 1 : 0;
  }
  const std::int64_t floor = scenario_.plan.policy.capacity.floor;
  if (others < floor)
    violate("I1", "drain of " + flight.effect->instance.value + " leaves " +
                      std::to_string(others) + " serving, floor " + std::to_string(floor));
}

bool World::in_on_all_nodes(int i) const {
  for (int n = 0; n < scenario_.nodes; ++n) {
    if (nodes_[n].servers[i].admin != Admin::ready) return false;
  }
  return true;
}

bool World::any_node_is_stale() const {
  for (int n = 0; n < scenario_.nodes; ++n) {
    if (nodes_[n].stale) return true;
  }
  return false;
}

bool World::any_node_lies() const {
  for (int n = 0; n < scenario_.nodes; ++n) {
    if (nodes_[n].fails_open) return true;
  }
  return false;
}

// I12: what goes back into rotation after we touched it works, as far as could be seen.
void World::rule_rejoin(const Flight& flight) {
  const Host& host = hosts_[flight.host];
  if (host.acts == 0 || !host.up) return;
  const std::string& name = flight.effect->instance.value;
  // Without a journal nobody looks again: what died by itself is the load balancer's check's to
  // see.
  const bool left_to_check = flight.safe && scenario_.lb_checks && !host.stopped_by_us;
  const bool unseen = excused(flight, flight.host, host.stopped_at, kCheckLagMs);
  if (!host.running && !unseen && !left_to_check)
    violate("I12", name + " is put back and does not run");
  if (host.running && !host.healthy && now_ > host.sick_since + kCheckLagMs)
    violate("I12", name + " is put back and is sick");
}

// I2: nothing is restarted while it is in rotation or has work.
void World::rule_act(const Flight& flight) {
  const int i = flight.host;
  const Host& host = hosts_[i];
  for (const Operation& operation : host.operations) {
    if (operation.running)
      violate("I6", "two operations at once on " + flight.effect->instance.value);
  }
  if (host.in && (host.in_by_us || !excused(flight, i, host.in_since, kAtOnceMs)))
    violate("I2", flight.effect->instance.value + " is restarted in rotation");
  if (host.busy && host.busy_since < flight.counted_at)
    violate("I2", flight.effect->instance.value + " is restarted with requests in flight");
  int runs = 0;
  for (const Operation& operation : host.operations)
    runs += operation.number % 100'000 == flight.number % 100'000 ? operation.times : 0;
  if (runs > 1) violate("I6", "effect " + flight.effect->id + " ran twice");
}

// The rollout says that it is over: is what it says true?
void World::rule_end() {
  const core::State& state = *durable_state();
  for (int i = 0; i < scenario_.hosts; ++i) {
    const core::Instance& instance = state.instances[static_cast<std::size_t>(i)];
    const core::PhaseName phase = core::name_of(instance.phase);
    const Host& host = hosts_[i];
    const std::string& name = instance.plan.id.value;
    bool out = false;
    for (int n = 0; n < scenario_.nodes; ++n) {
      const Server& server = nodes_[n].servers[i];
      out |= server.admin == Admin::drain && server.by_us;
    }
    if (phase == core::PhaseName::quarantined) {
      if (state.incident.empty()) violate("I7", name + " is quarantined and nobody was told");
      continue;
    }
    if (out) violate("I7", name + " was left out of rotation");
    if (*state.ended == core::RolloutResult::succeeded && phase == core::PhaseName::done) {
      if (host.workers == 1) violate("I12", name + " is done and was never restarted");
      if (state.plan.changes_config && !host.new_config)
        violate("I12", name + " is done and has the previous configuration");
      if (state.plan.changes_config && !host.runs_new)
        violate("I12", name + " is done and runs the previous configuration");
      if (!host.serves && host.bad_by_us && scenario_.lb_checks && !lb_ever_lied())
        violate("I12", name + " is done and does not serve");
    }
    if (phase == core::PhaseName::rolled_back && host.new_config)
      violate("I9", name + " is rolled back and has the new configuration");
    if (phase == core::PhaseName::rolled_back && host.runs_new && host.running)
      violate("I9", name + " is rolled back and runs the new configuration");
  }
  rule_replay(state);
}

bool World::lb_ever_lied() const {
  for (const Fault& fault : scenario_.faults) {
    if (fault.kind == FaultKind::lb_fails_open || fault.kind == FaultKind::lb_stale) return true;
  }
  return false;
}

// I10: the journal gives the same state as the controller that wrote it has.
void World::rule_replay(const core::State& live) {
  if (scenario_.seed % kReplayEvery != 0) return;
  if (digest_of(fold(), 0) != digest_of(live, 0))
    violate("I10", "replaying the journal gives another state");
}

// Nothing happens any more.
void World::rule_settled() {
  if (!store_.started) return;
  const core::State& state = *durable_state();
  for (int i = 0; i < scenario_.hosts; ++i) {
    const core::Instance& instance = state.instances[static_cast<std::size_t>(i)];
    const bool quarantined = core::name_of(instance.phase) == core::PhaseName::quarantined;
    if (quarantined && !state.incident.empty()) continue;
    for (int n = 0; n < scenario_.nodes; ++n) {
      const Server& server = nodes_[n].servers[i];
      if (server.admin == Admin::drain && server.by_us && !server.alarm)
        violate("I7", instance.plan.id.value + " is an orphan: out on lb-" + std::to_string(n + 1) +
                          ", and no controller is left");
    }
  }
  if (scenario_.somebody_resumes && !store_.ended)
    violate("I5", "nothing happens any more and the rollout has not ended");
  if (harmless(scenario_) && store_.ended && *result_ != core::RolloutResult::succeeded &&
      *result_ != core::RolloutResult::blocked)  // a gate may say no, as nothing was touched yet
    violate("I5", "it did not succeed, and nothing that happened was a reason");
  if (only_bad_config(scenario_) && store_.ended && *result_ == core::RolloutResult::human_needed)
    violate("I9", "the way back from a bad configuration was free, and a person is needed");
}

// Of a controller that knows the whole journal, or the fold of it.
const core::State* World::durable_state() {
  for (const Process& process : homes_) {
    if (process.folded == store_.entries.size()) return &process.controller.state();
  }
  return &fold();
}

// The journal from its beginning through the core, once for each state of the journal.
const core::State& World::fold() {
  const std::size_t wanted = store_.entries.size();
  if (folded_entries_ != wanted) {
    folded_ = core::State{};
    for (const auto& entry : store_.entries) core::apply_to(folded_, entry->event, entry->at);
    folded_entries_ = wanted;
  }
  return folded_;
}

}  // namespace hitless::sim
