#include "core/capacity.hpp"

#include <algorithm>

namespace hitless::core {

namespace {

// Ours by intent, whatever the load balancer still says: chosen for its turn, or taken out already.
bool is_leaving(const Instance& instance) {
  if (instance.taken_out || std::holds_alternative<Draining>(instance.phase)) return true;
  const auto* preflight = std::get_if<Preflight>(&instance.phase);
  return preflight != nullptr && (preflight->cleared || in_work(instance));
}

}  // namespace

bool serves(const Instance& instance) {
  return instance.reading && instance.reading->state == TargetState::in && !is_leaving(instance);
}

std::int64_t serving(const State& state) {
  return std::count_if(state.instances.begin(), state.instances.end(), serves);
}

Permission may_take_out(const State& state, const Instance& instance) {
  const std::int64_t now = serving(state);
  const std::int64_t floor = state.plan.policy.capacity.floor;
  if (!serves(instance)) {
    // It does not count today, so taking it out costs nothing. But below the floor an instance that
    // could still come back by itself is needed more than our work is; one that we took out
    // ourselves only comes back by our work.
    const bool ours = instance.taken_out || instance.direction == Direction::backward;
    const bool in = instance.reading && instance.reading->state == TargetState::in;
    if (in && now >= floor) {  // chosen already, and therefore not counted any more
      return {true, std::to_string(now) + " others serving, floor " + std::to_string(floor)};
    }
    if (ours || now >= floor) return {true, "it does not serve now"};
    return {false,
            std::to_string(now) + " serving, already below the floor of " + std::to_string(floor)};
  }
  std::string sum = std::to_string(now) + " serving − 1 = " + std::to_string(now - 1);
  if (now - 1 >= floor) return {true, sum + ", floor " + std::to_string(floor)};
  return {false, sum + ", below the floor of " + std::to_string(floor)};
}

}  // namespace hitless::core
