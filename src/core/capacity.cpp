#include "core/capacity.hpp"

#include <algorithm>

#include "core/planted.hpp"
#include "core/traffic.hpp"

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
    case TargetState::leaving:  // some node still sends it work, or answers with old numbers
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
  const bool fails = (instance.failed && given_up) ||
                     (soaking != nullptr && (soaking->doubted || soaking->unproven));
  return instance.reading && carries_load(*instance.reading) && !fails && !is_leaving(instance);
}

namespace {

std::int64_t serving_of(const State& state, const ServiceFloor& group) {
  return std::count_if(state.instances.begin(), state.instances.end(), [&](const Instance& i) {
    return serves(i) &&
           std::find(group.members.begin(), group.members.end(), i.plan.id) != group.members.end();
  });
}

}  // namespace

std::int64_t serving(const State& state) {
  if (!state.plan.floors.empty()) return serving_of(state, state.plan.floors.front());
  return std::count_if(state.instances.begin(), state.instances.end(), serves);
}

std::int64_t counted(const State& state) {
  return static_cast<std::int64_t>(state.plan.floors.empty()
                                       ? state.instances.size()
                                       : state.plan.floors.front().members.size());
}

std::int64_t serving(const Census& census) {
  return census.floors() == 0 ? census.serving() : census.serving_of(0);
}

std::vector<FloorCount> floors_of(const State& state, const Census& census,
                                  const InstanceId& instance) {
  std::vector<FloorCount> counts;
  if (const auto place = census.place_of(instance)) {
    for (const std::size_t floor : census.floors_at(*place)) {
      const ServiceFloor& group = state.plan.floors[floor];
      counts.push_back({group.service, census.serving_of(floor), group.floor});
    }
  }
  if (counts.empty()) counts.push_back({{}, serving(census), state.plan.policy.capacity.floor});
  return counts;
}

FloorCount tightest_floor(const State& state, const Census& census, const InstanceId& instance) {
  const std::vector<FloorCount> counts = floors_of(state, census, instance);
  return *std::min_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.serving - a.floor < b.serving - b.floor;
  });
}

Permission may_take_out(const State& state, const Census& census, const Instance& instance) {
  const FloorCount tightest = tightest_floor(state, census, instance.plan.id);
  const std::int64_t now = tightest.serving;
  const std::int64_t floor = tightest.floor;
  const std::string of =
      tightest.service.empty() ? std::string() : " (of " + tightest.service + ")";
  if (!serves(instance)) {
    // It does not count today, so taking it out costs nothing. But below the floor an instance that
    // could still come back by itself is needed more than our work is; one that we took out
    // ourselves only comes back by our work. And one that merely cannot be seen may well serve.
    const bool ours = instance.taken_out || instance.direction == Direction::backward;
    const std::string others = std::to_string(now) + (now == 1 ? " other" : " others") +
                               " serving, floor " + std::to_string(floor) + of;
    if (HITLESS_PLANTED(rollback_ignores_floor) && ours) return {true, others};
    if (now >= floor) return {true, may_serve(instance) ? others : "it does not serve now"};
    if (ours && !may_serve(instance)) return {true, "it does not serve now"};
    return {false, std::to_string(now) + " serving, already below the floor of " +
                       std::to_string(floor) + of};
  }
  std::string sum = std::to_string(now) + " serving − 1 = " + std::to_string(now - 1);
  if (HITLESS_PLANTED(rollback_ignores_floor) && instance.direction == Direction::backward)
    return {true, sum};
  if (now - 1 >= floor) return {true, sum + ", floor " + std::to_string(floor) + of};
  return {false, sum + ", below the floor of " + std::to_string(floor) + of};
}

}  // namespace hitless::core
