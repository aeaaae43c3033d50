#include "core/capacity.hpp"

#include <algorithm>

#include "core/planted.hpp"

namespace hitless::core {

namespace {

// Ours by intent, whatever the load balancer still says: chosen for its turn, or taken out already.
bool is_leaving(const Instance& instance) {
  if (HITLESS_PLANTED(floor_ignores_intents)) return false;
  if (instance.taken_out || std::holds_alternative<Draining>(instance.phase)) return true;
  const auto* preflight = std::get_if<Preflight>(&instance.phase);
  return preflight != nullptr && (preflight->cleared || in_work(instance));
}

}  // namespace

bool may_serve(const Instance& instance) {
  if (!instance.reading) return true;
  switch (instance.reading->state) {
    case TargetState::in:
    case TargetState::unknown:
      return true;
    case TargetState::in_unhealthy:
      return instance.reading->check != LbCheck::fail;
    default:
      return false;
  }
}

bool serves(const Instance& instance) {
  if (HITLESS_PLANTED(unknown_counts_as_in) && instance.reading &&
      instance.reading->state == TargetState::unknown)
    return !is_leaving(instance);
  // We found out that it fails, or see it fail just now, whatever the load balancer still thinks.
  const auto* soaking = std::get_if<Soaking>(&instance.phase);
  const bool given_up = std::holds_alternative<RollingBack>(instance.phase) ||
                        std::holds_alternative<Quarantined>(instance.phase);
  const bool fails = (instance.failed && given_up) || (soaking != nullptr && soaking->doubted);
  const bool in = instance.reading && instance.reading->state == TargetState::in;
  return in && !fails && !is_leaving(instance);
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
    // ourselves only comes back by our work. And one that merely cannot be seen may well serve.
    const bool ours = instance.taken_out || instance.direction == Direction::backward;
    const std::string others =
        std::to_string(now) + " others serving, floor " + std::to_string(floor);
    if (HITLESS_PLANTED(rollback_ignores_floor) && ours) return {true, others};
    if (now >= floor) return {true, may_serve(instance) ? others : "it does not serve now"};
    if (ours && !may_serve(instance)) return {true, "it does not serve now"};
    return {false,
            std::to_string(now) + " serving, already below the floor of " + std::to_string(floor)};
  }
  std::string sum = std::to_string(now) + " serving − 1 = " + std::to_string(now - 1);
  if (HITLESS_PLANTED(rollback_ignores_floor) && instance.direction == Direction::backward)
    return {true, sum};
  if (now - 1 >= floor) return {true, sum + ", floor " + std::to_string(floor)};
  return {false, sum + ", below the floor of " + std::to_string(floor)};
}

}  // namespace hitless::core
