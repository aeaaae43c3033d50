#include "core/invariants.hpp"

#include "core/capacity.hpp"
#include "core/names.hpp"
#include "core/traffic.hpp"
#include "core/transitions.hpp"

namespace hitless::core {
namespace {

const Instance* find_in(const State& state, const Census& census, const InstanceId& id) {
  const auto place = census.place_of(id);
  return place ? &state.instances[*place] : nullptr;
}

void check_drain(const State& before, const Census& census, const Instance& instance,
                 std::vector<Violation>& out) {
  if (instance.taken_out) return;  // a repeat of our own
  // `instance` is in draining already and no longer counted; what is left must hold the floor. An
  // instance that did not serve costs nothing.
  const bool served = instance.reading && instance.reading->state == TargetState::in;
  const FloorCount tightest = tightest_floor(before, census, instance.plan.id);
  if (served && tightest.serving < tightest.floor) {
    out.push_back({"I1", "drain of " + instance.plan.id.value + " leaves " +
                             std::to_string(tightest.serving) + " serving, floor " +
                             std::to_string(tightest.floor)});
  }
}

void check_act(const Instance& instance, std::vector<Violation>& out) {
  if (!instance.taken_out)
    out.push_back({"I2", "act on " + instance.plan.id.value + " which was not taken out"});
  if (!instance.reading) {
    out.push_back(
        {"I12", "act on " + instance.plan.id.value + " without a reading of the load balancer"});
    return;
  }
  if (instance.reading->state != TargetState::out) {
    out.push_back({"I2", "act on " + instance.plan.id.value + " while the load balancer says " +
                             std::string(to_string(instance.reading->state))});
  }
  if (name_of(instance.phase) != PhaseName::acting) {
    out.push_back({"I2", "act on " + instance.plan.id.value + " in phase " +
                             std::string(to_string(name_of(instance.phase)))});
  }
}

void check_intent(const State& before, const Census& census, const Effect& effect,
                  std::vector<Violation>& out) {
  const Instance* instance = find_in(before, census, effect.instance);
  if (effect.epoch != before.epoch) {
    out.push_back({"I4", "effect " + effect.id + " of epoch " + std::to_string(effect.epoch) +
                             ", the rollout is in epoch " + std::to_string(before.epoch)});
  }
  if (effect.kind == EffectKind::finish) {
    for (const Instance& each : before.instances) {
      if (each.taken_out && name_of(each.phase) != PhaseName::quarantined) {
        out.push_back({"I7", each.plan.id.value + " was taken out and is left behind in " +
                                 std::string(to_string(name_of(each.phase)))});
      }
    }
    return;
  }
  if (instance == nullptr) return;
  if (instance->pending) {
    out.push_back({"I10", "two effects at once on " + instance->plan.id.value});
  }
  if (effect.kind == EffectKind::drain) check_drain(before, census, *instance, out);
  // Installing a package may restart what it belongs to.
  const bool packages =
      effect.kind == EffectKind::install_config && before.plan.intent == Intent::patch;
  if (effect.kind == EffectKind::act || packages) check_act(*instance, out);
}

void check_advance(const State& before, const Census& census, const Advanced& event,
                   std::vector<Violation>& out) {
  const Instance* instance = find_in(before, census, event.instance);
  if (instance == nullptr || name_of(instance->phase) != event.from) return;
  if (!may_follow(event.from, event.to)) {
    out.push_back({"I10", "no transition " + std::string(to_string(event.from)) + " -> " +
                              std::string(to_string(event.to))});
  }
  if (event.to == PhaseName::drained) {
    const bool out_now = instance->reading && instance->reading->state == TargetState::out &&
                         in_flight(*instance->reading, before.plan.policy.drain.host_count) == 0;
    if (!out_now)
      out.push_back({"I12", event.instance.value + " counted as drained without a reading of 0"});
  }
}

}  // namespace

std::vector<Violation> check_before(const State& before, const Census& census, const Event& event) {
  std::vector<Violation> out;
  if (const auto* intended = std::get_if<EffectIntended>(&event)) {
    check_intent(before, census, intended->effect, out);
  } else if (const auto* advanced = std::get_if<Advanced>(&event)) {
    check_advance(before, census, *advanced, out);
  }
  return out;
}

std::vector<Violation> check_after(const State& after, const Event& event) {
  std::vector<Violation> out;
  if (!std::holds_alternative<EffectFinished>(event)) return out;
  if (!after.ended || *after.ended != RolloutResult::succeeded) return out;
  for (const Instance& instance : after.instances) {
    const PhaseName phase = name_of(instance.phase);
    if (phase != PhaseName::done && phase != PhaseName::skipped) {
      out.push_back({"I12", "succeeded with " + instance.plan.id.value + " in " +
                                std::string(to_string(phase))});
    }
  }
  return out;
}

}  // namespace hitless::core
