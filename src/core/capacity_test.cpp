#include "core/capacity.hpp"

#include <gtest/gtest.h>

namespace hitless::core {
namespace {

State fleet(int in, int down, int unknown, std::int64_t floor) {
  State state;
  state.plan.policy.capacity.floor = floor;
  const auto add = [&](TargetState seen) {
    Instance instance;
    instance.plan.id.value = "web@web" + std::to_string(state.instances.size() + 1);
    instance.phase = Preflight{};
    instance.reading = TargetReading{};
    instance.reading->state = seen;
    if (seen == TargetState::in_unhealthy) instance.reading->check = LbCheck::fail;
    state.instances.push_back(instance);
  };
  for (int i = 0; i < in; ++i) add(TargetState::in);
  for (int i = 0; i < down; ++i) add(TargetState::in_unhealthy);
  for (int i = 0; i < unknown; ++i) add(TargetState::unknown);
  return state;
}

TEST(Capacity, OneMoreMayLeaveOnlyAboveTheFloor) {
  EXPECT_TRUE(may_take_out(fleet(3, 0, 0, 2), fleet(3, 0, 0, 2).instances[0]).granted);
  State at_floor = fleet(2, 0, 0, 2);
  EXPECT_FALSE(may_take_out(at_floor, at_floor.instances[0]).granted);
  EXPECT_EQ(may_take_out(at_floor, at_floor.instances[0]).reason,
            "2 serving − 1 = 1, below the floor of 2");
}

TEST(Capacity, UnknownAndUnhealthyDoNotServe) {
  EXPECT_EQ(serving(fleet(2, 1, 1, 2)), 2);
  State state = fleet(2, 1, 1, 2);
  EXPECT_FALSE(may_take_out(state, state.instances[0]).granted);
}

TEST(Capacity, AnOpenIntentCountsAsOut) {
  State state = fleet(3, 0, 0, 2);
  state.instances[0].taken_out = true;  // the LB still says in
  EXPECT_EQ(serving(state), 2);
  EXPECT_FALSE(may_take_out(state, state.instances[1]).granted);
}

TEST(Capacity, AChosenInstanceIsReservedBeforeItsDrain) {
  State state = fleet(3, 0, 0, 2);
  state.instances[0].phase = Preflight{0, true};
  EXPECT_EQ(serving(state), 2);
  EXPECT_FALSE(may_take_out(state, state.instances[1]).granted);
  EXPECT_TRUE(may_take_out(state, state.instances[0]).granted) << "its own turn";
}

TEST(Capacity, BelowTheFloorOnlyOurOwnMayBeWorkedOn) {
  State state = fleet(1, 1, 0, 2);
  EXPECT_FALSE(may_take_out(state, state.instances[1]).granted) << "it may come back by itself";
  state.instances[1].taken_out = true;
  EXPECT_TRUE(may_take_out(state, state.instances[1]).granted) << "it only comes back by our work";
}

// Found by the simulator: we put it back, or the load balancer forgot its drain, and nobody can
// see.
TEST(Capacity, OneThatWeTookOutAndCannotSeeMayServe) {
  State state = fleet(1, 0, 1, 2);
  state.instances[1].taken_out = true;
  EXPECT_FALSE(may_take_out(state, state.instances[1]).granted);
  state.instances[1].reading.reset();
  EXPECT_FALSE(may_take_out(state, state.instances[1]).granted) << "nobody has looked yet";
  state.instances[1].reading = TargetReading{};
  state.instances[1].reading->state = TargetState::out;
  EXPECT_TRUE(may_take_out(state, state.instances[1]).granted);
}

}  // namespace
}  // namespace hitless::core
