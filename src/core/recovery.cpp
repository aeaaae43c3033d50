#include "core/recovery.hpp"

#include "core/planted.hpp"

namespace hitless::core {
namespace {

// One function per phase in which something is under way.
struct Resume {
  const std::optional<Pending>& lost;  // the effect whose outcome nobody knows
  TimeMs at;

  void operator()(Preflight& phase) const { phase.cleared = false; }
  void operator()(Draining& phase) const {
    phase.since = at;
    phase.commanded = false;  // told again: the load balancer may have forgotten meanwhile
    phase.quiet_since.reset();
    phase.closed_at.reset();
    phase.confirmed = false;
  }
  void operator()(Drained& phase) const { phase.since = at; }
  void operator()(Acting& phase) const {
    phase.since = at;
    phase.looked_since = false;
    if (!lost || lost->effect.kind != EffectKind::act) return;
    phase.acted = HITLESS_PLANTED(resume_assumes_done) ? OutcomeStatus::ok : OutcomeStatus::unknown;
    phase.orphaned = !HITLESS_PLANTED(resume_assumes_done);
    phase.detail = "the controller that started it is gone";
  }
  void operator()(Verifying& phase) const {
    const bool orphaned = phase.orphaned;
    phase = Verifying{};
    phase.since = at;
    phase.orphaned = orphaned;
  }
  void operator()(Rejoining& phase) const {
    phase = Rejoining{};
    phase.since = at;
  }
  void operator()(Soaking& phase) const {
    phase.since = at;
    phase.fails = 0;
  }
  void operator()(RollingBack& phase) const { phase.since = at; }
  void operator()(Waiting&) const {}
  void operator()(Done&) const {}
  void operator()(RolledBack&) const {}
  void operator()(Quarantined&) const {}
  void operator()(Skipped&) const {}
};

}  // namespace

void take_over(State& state, const ControllerTookOver& event, TimeMs at) {
  if (event.epoch <= state.epoch) return;
  state.epoch = event.epoch;
  state.actor = event.actor;
  state.taken_over_at = at;
  state.pending.reset();
  for (Instance& instance : state.instances) {
    const std::optional<Pending> lost = std::move(instance.pending);
    instance.pending.reset();
    if (!HITLESS_PLANTED(takeover_keeps_readings)) instance.reading.reset();
    if (HITLESS_PLANTED(takeover_frees_slot)) instance.taken_out = false;
    // That it was well before it was to go back is void too: see step_rejoining.
    instance.attempts = std::holds_alternative<Rejoining>(instance.phase) ? 1 : 0;
    instance.retry_at = 0;
    std::visit(Resume{lost, at}, instance.phase);
  }
}

void slept_through(EffectKind kind, Outcome& outcome) {
  if (kind != EffectKind::preflight && !looks_only(kind)) return;
  outcome = Outcome{};
  outcome.status = OutcomeStatus::unknown;
  outcome.detail = "the controller slept meanwhile";
}

namespace {

const Effect* pending_effect(const State& state, const std::string& id) {
  for (const Instance& instance : state.instances) {
    if (instance.pending && instance.pending->effect.id == id) return &instance.pending->effect;
  }
  return nullptr;
}

}  // namespace

std::vector<Event> after_sleep(const State& state, std::vector<Event> came) {
  std::erase_if(came, [](const Event& event) {
    return std::holds_alternative<TrafficSeen>(event) ||
           std::holds_alternative<ServiceSeen>(event) || std::holds_alternative<HealthSeen>(event);
  });
  for (Event& event : came) {
    auto* finished = std::get_if<EffectFinished>(&event);
    if (finished == nullptr) continue;
    const Effect* effect = pending_effect(state, finished->effect_id);
    if (effect != nullptr) slept_through(effect->kind, finished->outcome);
  }
  TrafficSeen nothing;
  for (const Instance& instance : state.instances) {
    if (!instance.reading) continue;
    TargetReading unknown;
    unknown.note = "the controller slept: not looked at since";
    nothing.readings.emplace_back(instance.plan.id, std::move(unknown));
  }
  if (!nothing.readings.empty()) came.emplace_back(std::move(nothing));
  return came;
}

}  // namespace hitless::core
