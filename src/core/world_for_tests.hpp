// A tiny world for the core's own tests: instances behind one load balancer, time in steps of 10
// ms, every effect takes one step. It obeys the effects that decide() asks for, shows the results
// to apply() as the engine would, checks the invariants at each event and keeps a readable
// transcript.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/decide.hpp"
#include "core/invariants.hpp"
#include "core/names.hpp"

namespace hitless::core {

struct FakeInstance {
  bool in = true;  // the LB sends it work
  bool check_passes = true;
  bool reachable = true;  // the LB node can be asked about it
  bool standby = false;   // it gets work only while the others are down
  bool counted = true;    // it counts the requests that it sends there
  std::int64_t in_flight = 3;
  std::int64_t generation = 1;  // who runs: changes at each act
  bool new_config = false;
  std::int64_t requests = 0, errors = 0;
  std::string epoch = "lb1";
};

class FakeWorld {
 public:
  static constexpr TimeMs kStepMs = 10;

  explicit FakeWorld(int n, Intent intent = Intent::restart) {
    plan.rollout = "R-1";
    plan.service = "web";
    plan.intent = intent;
    plan.changes_config = intent == Intent::apply;
    plan.action = intent == Intent::reboot    ? Action::reboot
                  : intent == Intent::restart ? Action::restart
                                              : Action::reload;
    plan.policy.capacity.floor = n - 1;
    plan.policy.verify.deadline_ms = 5'000;
    plan.policy.verify.grace_ms = 1'000;
    plan.policy.verify.stability_ms = 300;
    plan.policy.drain.deadline_ms = 3'000;
    plan.policy.rejoin.soak_ms = 200;
    plan.policy.rejoin.deadline_ms = 3'000;
    plan.policy.capacity.wait_ms = 2'000;
    for (int i = 1; i <= n; ++i) {
      const InstanceId id{"web@web0" + std::to_string(i)};
      plan.instances.push_back(InstancePlan{id, "web0" + std::to_string(i), "", i == 1, ""});
      instances[id];
    }
  }

  // Hooks that a test plants faults with; each may return nothing to mean "as usual".
  std::function<std::optional<Outcome>(const Effect&)> on_effect;
  std::function<void(TimeMs)> on_step;
  std::function<std::optional<ServiceVerdict>(const InstanceId&)> service_verdict;
  std::function<std::int64_t(const InstanceId&)> latency_us = [](const InstanceId&) {
    return 41'000;
  };
  std::function<bool(const InstanceId&)> healthy = [](const InstanceId&) { return true; };

  Plan plan;
  std::map<InstanceId, FakeInstance> instances;
  State state;
  TimeMs now = 1'000;
  std::vector<std::string> transcript;
  std::vector<Violation> violations;
  std::vector<std::pair<TimeMs, Event>> journal;
  std::size_t kill_at_entry = 0;  // 0: never
  bool carried_out_when_killed = false;

  void record(const Event& event) {
    for (Violation& v : check_before(state, event)) violations.push_back(std::move(v));
    apply_to(state, event, now);
    for (Violation& v : check_after(state, event)) violations.push_back(std::move(v));
    journal.emplace_back(now, event);
    note(event);
  }

  // kill -9 and a new controller: what it knows is the journal. Effects under way were carried out
  // or not; nobody will say which.
  void kill_and_take_over(bool carried_out) {
    for (const Effect& effect : std::exchange(running_, {})) {
      if (carried_out) carry_out(effect);
    }
    const std::int64_t epoch = state.epoch + 1;
    state = State{};
    for (const auto& [at, event] : journal) apply_to(state, event, at);
    shown_.clear();
    record(ControllerTookOver{epoch, "test again"});
  }

  // Runs until the rollout has ended or the time is over.
  void run(TimeMs max_ms = 120'000) {
    if (state.started_at == 0) record(RolloutStarted{plan, "test", 1});
    const TimeMs end = now + max_ms;
    while (!state.ended && now < end) {
      if (kill_at_entry > 0 && journal.size() >= kill_at_entry) {
        kill_at_entry = 0;
        kill_and_take_over(carried_out_when_killed);
      }
      if (on_step) on_step(now);
      finish_effects();
      decide_all();
      now += kStepMs;
    }
  }

  [[nodiscard]] std::string result() const {
    return state.ended ? std::string(to_string(*state.ended)) : "still running";
  }
  [[nodiscard]] PhaseName phase(int i) const {
    return name_of(state.instances.at(static_cast<std::size_t>(i - 1)).phase);
  }
  [[nodiscard]] InstanceId id(int i) const {
    return plan.instances.at(static_cast<std::size_t>(i - 1)).id;
  }
  [[nodiscard]] FakeInstance& at(int i) { return instances.at(id(i)); }
  [[nodiscard]] std::string text() const {
    std::string all;
    for (const std::string& line : transcript) all += line + "\n";
    return all;
  }

 private:
  std::vector<Effect> running_;
  std::map<InstanceId, std::int64_t> before_;
  std::map<InstanceId, TargetReading> shown_;

  void note(const Event& event) {
    if (const auto* e = std::get_if<Advanced>(&event)) {
      transcript.push_back(e->instance.value + " " + std::string(to_string(e->from)) + " -> " +
                           std::string(to_string(e->to)));
    } else if (const auto* i = std::get_if<EffectIntended>(&event)) {
      const std::string who =
          i->effect.instance.value.empty() ? "rollout" : i->effect.instance.value;
      transcript.push_back("  " + who + " " + std::string(to_string(i->effect.kind)) +
                           (i->effect.direction == Direction::backward ? " (backward)" : ""));
    } else if (const auto* h = std::get_if<Halted>(&event)) {
      transcript.push_back("halted: " + h->reason);
    }
  }

  Outcome carry_out(const Effect& effect) {
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    if (effect.instance.value.empty()) {
      outcome.incident = "INC-1";
      return outcome;
    }
    FakeInstance& it = instances.at(effect.instance);
    switch (effect.kind) {
      case EffectKind::preflight:
        outcome.preflight = PreflightReport{};
        outcome.preflight->baseline = LatencyBaseline{20, 40'000, 50'000};
        break;
      case EffectKind::drain:
        it.in = false;
        break;
      case EffectKind::close_remaining:
        it.in_flight = 0;
        break;
      case EffectKind::confirm_out:
        if (it.in || it.in_flight > 0) outcome.status = OutcomeStatus::failed;
        outcome.before = ServiceIdentity{};
        outcome.before->main_pid = it.generation;
        outcome.before->boot_id = std::to_string(it.generation);
        before_[effect.instance] = it.generation;
        break;
      case EffectKind::install_config:
        it.new_config = effect.direction == Direction::forward;
        break;
      case EffectKind::act:
        // A host reboots only while it is the boot that was seen.
        if (effect.action != Action::reboot ||
            effect.expected.boot_id == std::to_string(it.generation))
          ++it.generation;
        break;
      case EffectKind::rejoin:
        it.in = true;
        break;
      case EffectKind::diagnose:
        outcome.diagnosis = Diagnosis{};
        break;
      default:
        break;
    }
    return outcome;
  }

  void finish_effects() {
    std::vector<Effect> due;
    due.swap(running_);
    for (const Effect& effect : due) {
      std::optional<Outcome> planted = on_effect ? on_effect(effect) : std::nullopt;
      shown_.erase(effect.instance);  // what is read after an effect is news, as in the engine
      record(EffectFinished{effect.id, planted ? *planted : carry_out(effect)});
    }
  }

  void decide_all() {
    for (int rounds = 0; rounds < 1'000; ++rounds) {
      Decision decision = decide(state, now);
      if (!decision.records.empty()) {
        for (const Event& event : decision.records) record(event);
        continue;
      }
      for (const Effect& effect : decision.effects) {
        record(EffectIntended{effect});
        running_.push_back(effect);
      }
      observe(decision.watches);
      return;
    }
    violations.push_back({"I5", "decide() does not come to rest"});
  }

  void observe(const std::vector<Watch>& watches) {
    for (auto& [id, it] : instances) {
      if (it.in && it.check_passes) it.requests += 1;
      if (!it.in && it.in_flight > 0 && now % 50 == 0) --it.in_flight;
    }
    for (const Watch& watch : watches) {
      if (watch.kind == WatchKind::traffic) {
        show_traffic();
      } else if (watch.kind == WatchKind::service) {
        ServiceReading reading;
        reading.now.main_pid = instances.at(watch.instance).generation;
        const bool is_new = reading.now.main_pid != watch.before.main_pid;
        reading.verdict = is_new ? ServiceVerdict::proven : ServiceVerdict::indeterminate;
        if (service_verdict)
          reading.verdict = service_verdict(watch.instance).value_or(reading.verdict);
        record(ServiceSeen{watch.instance, reading});
      } else {
        const bool ok = healthy(watch.instance);
        record(HealthSeen{watch.instance,
                          {ok ? HealthStatus::pass : HealthStatus::fail, latency_us(watch.instance),
                           ok ? "HTTP 200" : "HTTP 502"}});
      }
    }
  }

  void show_traffic() {
    TrafficSeen seen;
    for (auto& [id, it] : instances) {
      TargetReading reading;
      reading.check = it.check_passes ? LbCheck::pass : LbCheck::fail;
      reading.in_flight = reading.host_connections = it.in_flight;
      reading.standby = it.standby;
      if (it.counted) reading.requests = it.requests;
      reading.errors = it.errors;
      reading.epoch = it.epoch;
      reading.state = it.in ? (it.check_passes ? TargetState::in : TargetState::in_unhealthy)
                            : (it.in_flight == 0 ? TargetState::out : TargetState::draining);
      if (!it.reachable) reading = TargetReading{};
      if (shown_.count(id) == 0 || !(shown_[id] == reading))
        seen.readings.emplace_back(id, reading);
      shown_[id] = reading;
    }
    if (!seen.readings.empty()) record(seen);
  }
};

}  // namespace hitless::core
