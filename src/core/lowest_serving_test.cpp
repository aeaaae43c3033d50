// What the result says about capacity: the fewest instances that were seen to serve.
#include <gtest/gtest.h>

#include "core/state.hpp"

namespace hitless::core {
namespace {

class LowestServing : public testing::Test {
 protected:
  LowestServing() {
    for (const char* name : {"web@web01", "web@web02", "web@web03"}) {
      Instance instance;
      instance.plan.id.value = name;
      instance.phase = Preflight{};
      state_.instances.push_back(instance);
    }
  }

  void see(TargetState third, LbCheck check) {
    TrafficSeen seen;
    for (std::size_t i = 0; i < state_.instances.size(); ++i) {
      TargetReading reading;
      reading.state = i == 2 ? third : TargetState::in;
      reading.check = i == 2 ? check : LbCheck::pass;
      seen.readings.emplace_back(state_.instances[i].plan.id, reading);
    }
    state_ = apply(std::move(state_), seen, ++now_);
  }

  State state_;
  TimeMs now_ = 1'000;
};

TEST_F(LowestServing, CountsAFailedCheck) {
  see(TargetState::in, LbCheck::pass);
  EXPECT_EQ(state_.lowest_serving, 3);
  see(TargetState::in_unhealthy, LbCheck::fail);
  see(TargetState::in, LbCheck::pass);
  EXPECT_EQ(state_.lowest_serving, 2);
}

// A reloaded HAProxy has no results of its checks for a moment; it sends traffic all the same.
TEST_F(LowestServing, WhatTheLoadBalancerDoesNotKnowIsNoMeasurement) {
  see(TargetState::in, LbCheck::pass);
  see(TargetState::in_unhealthy, LbCheck::unknown);
  see(TargetState::unknown, LbCheck::unknown);
  EXPECT_EQ(state_.lowest_serving, 3);
}

}  // namespace
}  // namespace hitless::core
