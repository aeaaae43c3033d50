#include "core/controller.hpp"

#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace hitless::core {
namespace {

// Whose state the rules look at for this event; empty: nobody's, an observation breaks no rule.
const InstanceId* looked_at(const Event& event) {
  if (const auto* intended = std::get_if<EffectIntended>(&event)) return &intended->effect.instance;
  const auto* advanced = std::get_if<Advanced>(&event);
  return advanced == nullptr ? nullptr : &advanced->instance;
}

// Does a rule for one of these events depend on what an event before it in the turn does? A drain
// and the end look at all instances, everything else at its own.
bool hang_together(const std::vector<Event>& events) {
  std::set<std::string_view> named;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto* intended = std::get_if<EffectIntended>(&events[i]);
    const bool looks_at_all = intended != nullptr && (intended->effect.kind == EffectKind::drain ||
                                                      intended->effect.kind == EffectKind::finish);
    if (i > 0 && looks_at_all) return true;
    const InstanceId* id = looked_at(events[i]);
    if (id != nullptr && !named.insert(id->value).second) return true;
  }
  return false;
}

// Would this transaction break a rule at any of its events? A copy of the state is made only when
// they hang together: in a fleet of thousands most turns are of many instances, one event each.
std::optional<Violation> check(const State& state, const Census& census,
                               const std::vector<Event>& events, TimeMs now) {
  const bool one_by_one = hang_together(events);
  std::optional<State> ahead;
  std::optional<Census> of_ahead;
  if (one_by_one) ahead = state, of_ahead = census;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (one_by_one && i > 0) apply_to(*ahead, *of_ahead, events[i - 1], now);
    if (looked_at(events[i]) == nullptr) continue;
    auto broken =
        ahead ? check_before(*ahead, *of_ahead, events[i]) : check_before(state, census, events[i]);
    if (!broken.empty()) return broken.front();
  }
  return std::nullopt;
}

Turn broken_turn(Violation violation) {
  Turn turn;
  turn.broken = std::move(violation);
  return turn;
}

}  // namespace

Turn Controller::take(std::vector<Event> came_in, TimeMs now) const {
  Turn turn;
  turn.broken = check(state_, census_, came_in, now);
  if (!turn.broken) turn.events = std::move(came_in);
  return turn;
}

Turn Controller::next(TimeMs now) const {
  Turn turn = decided(now);
  if (auto violation = check(state_, census_, turn.events, now))
    return broken_turn(std::move(*violation));
  return turn;
}

Turn Controller::decided(TimeMs now) const {
  Turn turn;
  Decision decision = decide(state_, census_, now);
  if (!decision.records.empty()) {
    turn.events = std::move(decision.records);
  } else {
    turn.at_rest = true;
    turn.effects = std::move(decision.effects);
    turn.events.reserve(turn.effects.size());
    for (const Effect& effect : turn.effects) turn.events.emplace_back(EffectIntended{effect});
    turn.watches = std::move(decision.watches);
    turn.wake_at = decision.wake_at;
  }
  return turn;
}

std::optional<Violation> Controller::fold(const Event& event, TimeMs at) {
  if (auto broken = check_before(state_, census_, event); !broken.empty()) return broken.front();
  return journaled(event, at);
}

std::optional<Violation> Controller::journaled(const Event& event, TimeMs at) {
  apply_to(state_, census_, event, at);
  if (auto broken = check_after(state_, event); !broken.empty()) return broken.front();
  return std::nullopt;
}

std::vector<InstanceId> safe_to_put_back(const State& state) {
  std::vector<InstanceId> ids;
  for (const Instance& instance : state.instances) {
    const bool unchanged = !instance.acted && !instance.config_touched;
    const bool on_purpose = std::holds_alternative<Quarantined>(instance.phase);
    const bool proven = std::holds_alternative<Rejoining>(instance.phase);
    if (instance.taken_out && !on_purpose && (unchanged || proven)) ids.push_back(instance.plan.id);
  }
  return ids;
}

}  // namespace hitless::core
