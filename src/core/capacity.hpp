// The floor rule (I1) has its one home here: how many instances serve, and whether one more may
// leave.
//
// serving = seen healthy and in rotation, less every instance that an open intent of ours is about
// to take out. An instance whose state is unknown does not serve. Where whole hosts are worked on,
// every service of the plan has a floor of its own, and all of them hold.
#pragma once
#include <string>

#include "core/census.hpp"
#include "core/state.hpp"

namespace hitless::core {

[[nodiscard]] bool serves(const Instance& instance);
// Not known to serve, and not known not to: the load balancer cannot be asked, or does not know
// yet, as its checks just after a reload, or nobody has looked since we put it back.
[[nodiscard]] bool may_serve(const Instance& instance);
// Of the rollout's own service.
[[nodiscard]] std::int64_t serving(const State& state);
[[nodiscard]] std::int64_t serving(const Census& census);
[[nodiscard]] std::int64_t counted(const State& state);  // of how many

// One floor and how many serve under it now.
struct FloorCount {
  std::string service;  // empty: the rollout's own
  std::int64_t serving = 0, floor = 0;
};
// The floors that this instance counts for. Never empty.
[[nodiscard]] std::vector<FloorCount> floors_of(const State& state, const Census& census,
                                                const InstanceId& instance);
// The one with the least to spare.
[[nodiscard]] FloorCount tightest_floor(const State& state, const Census& census,
                                        const InstanceId& instance);

struct Permission {
  bool granted = false;
  std::string reason;  // the arithmetic, for people
};
// May this instance be taken out of rotation now? Asked for every drain, rollback included.
[[nodiscard]] Permission may_take_out(const State& state, const Census& census,
                                      const Instance& instance);

// For whoever keeps no census.
[[nodiscard]] inline FloorCount tightest_floor(const State& state, const InstanceId& instance) {
  return tightest_floor(state, Census(state), instance);
}
[[nodiscard]] inline Permission may_take_out(const State& state, const Instance& instance) {
  return may_take_out(state, Census(state), instance);
}

}  // namespace hitless::core
