#include "core/controller.hpp"

#include <algorithm>
#include <utility>

namespace hitless::core {
namespace {

// Would this transaction break a rule at any of its events?
std::optional<Violation> check(const State& state, const std::vector<Event>& events, TimeMs now) {
  if (events.empty()) return std::nullopt;
  if (auto broken = check_before(state, events.front()); !broken.empty()) return broken.front();
  const bool only_seen = std::none_of(events.begin() + 1, events.end(), [](const Event& event) {
    return std::holds_alternative<EffectIntended>(event) || std::holds_alternative<Advanced>(event);
  });
  if (only_seen) return std::nullopt;  // nothing that could break one
  State ahead = state;
  for (std::size_t i = 1; i < events.size(); ++i) {
    apply_to(ahead, events[i - 1], now);
    if (auto broken = check_before(ahead, events[i]); !broken.empty()) return broken.front();
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
  turn.broken = check(state_, came_in, now);
  if (!turn.broken) turn.events = std::move(came_in);
  return turn;
}

Turn Controller::next(TimeMs now) const {
  Turn turn;
  Decision decision = decide(state_, now);
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
  if (auto violation = check(state_, turn.events, now)) return broken_turn(std::move(*violation));
  return turn;
}

std::optional<Violation> Controller::journaled(const Event& event, TimeMs at) {
  apply_to(state_, event, at);
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
