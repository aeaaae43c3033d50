#include "core/census.hpp"

#include <gtest/gtest.h>

#include "core/capacity.hpp"
#include "core/world_for_tests.hpp"

namespace hitless::core {
namespace {

// Every event of rollouts that go well, fail, are rolled back and taken over: what is kept up to
// date is what a new count gives, and the fold with it the fold without.
void compare(const FakeWorld& world) {
  State kept, plain;
  Census census(kept);
  for (const auto& [at, event] : world.journal) {
    apply_to(kept, census, event, at);
    apply_to(plain, event, at);
    ASSERT_TRUE(census == Census(plain)) << "at " << at << " ms";
    ASSERT_EQ(kept.lowest_serving, plain.lowest_serving);
    ASSERT_EQ(serving(census), serving(plain));
    ASSERT_EQ(last_progress(kept, census), last_progress(plain));
  }
}

TEST(Census, IsKeptUpToDateThroughARollout) {
  FakeWorld world(4);
  world.run();
  ASSERT_EQ(world.state.ended, RolloutResult::succeeded);
  compare(world);
}

TEST(Census, IsKeptUpToDateThroughARollback) {
  FakeWorld world(4, Intent::apply);
  world.healthy = [&](const InstanceId& id) { return id != world.id(3); };
  world.run();
  ASSERT_NE(world.state.ended, RolloutResult::succeeded);
  compare(world);
}

TEST(Census, IsKeptUpToDateThroughATakeover) {
  FakeWorld world(4, Intent::apply);
  world.kill_at_entry = 40;
  world.carried_out_when_killed = true;
  world.run();
  ASSERT_EQ(world.state.ended, RolloutResult::succeeded);
  compare(world);
}

TEST(Census, CountsForEachFloorOfWholeHosts) {
  FakeWorld world(3);
  world.plan.floors = {{"web", 1, {world.id(1), world.id(2)}},
                       {"api", 1, {world.id(2), world.id(3)}}};
  world.run();
  compare(world);
  const Census census(world.state);
  EXPECT_EQ(floors_of(world.state, census, world.id(2)).size(), 2U);
  EXPECT_EQ(floors_of(world.state, census, world.id(3)).front().service, "api");
  EXPECT_EQ(serving(census), 2) << "of the rollout's own service";
}

TEST(Census, OfAStateThatWasChangedInOnePlaceIsMendedInThatPlace) {
  FakeWorld world(3);
  world.run();
  State state = world.state;
  Census census(state);
  state.instances[1].phase = Draining{};
  state.instances[1].plan.zone = "b";
  EXPECT_FALSE(census == Census(state));
  census.update(state, 1);
  EXPECT_TRUE(census == Census(state));
  EXPECT_TRUE(census.works_in_another_zone("a"));
  EXPECT_FALSE(census.works_in_another_zone("b"));
  EXPECT_EQ(census.members(Trait::busy), Census::Members{1});
}

}  // namespace
}  // namespace hitless::core
