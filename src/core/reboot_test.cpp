// Reboots of whole hosts through the pure core: once, under the floor of every service that lives
// there, and never put back when nobody knows whether the host came back.
#include <gtest/gtest.h>

#include "core/capacity.hpp"
#include "core/world_for_tests.hpp"

namespace hitless::core {
namespace {

std::string violations(const FakeWorld& world) {
  std::string all;
  for (const Violation& v : world.violations) all += v.rule + ": " + v.what + "\n";
  return all;
}

// A driver sees a boot: another one than before, or still the same.
void see_boots(FakeWorld& world) {
  world.plan.policy.verify.deadline_ms = 60'000;
  world.service_verdict = [&world](const InstanceId& id) {
    const Instance* instance = find(world.state, id);
    const bool is_new = world.instances[id].generation != instance->before.main_pid;
    return std::optional(is_new ? ServiceVerdict::proven : ServiceVerdict::not_applied);
  };
}

class KilledInReboot : public testing::TestWithParam<bool> {};

// Every entry, the observations too: a host that went down and came back is seen in between.
TEST_P(KilledInReboot, AtEachEntryItStillHappensOnce) {
  FakeWorld calm(2, Intent::reboot);
  see_boots(calm);
  calm.run();
  ASSERT_EQ(calm.result(), "succeeded");
  for (std::size_t entry = 1; entry < calm.journal.size(); entry += 3) {
    FakeWorld world(2, Intent::reboot);
    see_boots(world);
    world.kill_at_entry = entry;
    world.carried_out_when_killed = GetParam();
    world.run(240'000);
    EXPECT_EQ(world.result(), "succeeded") << "killed after entry " << entry << "\n"
                                           << world.text();
    EXPECT_EQ(violations(world), "") << "killed after entry " << entry;
    for (const auto& [id, it] : world.instances)
      EXPECT_EQ(it.generation, 2) << id.value << ", killed after entry " << entry;
  }
}
INSTANTIATE_TEST_SUITE_P(Reboot, KilledInReboot, testing::Bool());

TEST(Reboot, AHostThatDoesNotComeBackStaysOutAndSomebodyIsTold) {
  FakeWorld world(3, Intent::reboot);
  world.service_verdict = [](const InstanceId&) {
    return std::optional(ServiceVerdict::indeterminate);
  };
  world.healthy = [&world](const InstanceId& id) { return world.instances[id].generation == 1; };
  world.run();
  EXPECT_EQ(world.result(), "human_needed");
  EXPECT_EQ(world.phase(1), PhaseName::quarantined);
  EXPECT_FALSE(world.state.incident.empty());
  EXPECT_FALSE(world.at(1).in);
  EXPECT_EQ(world.at(1).generation, 2) << "asked for once";
  EXPECT_EQ(world.at(2).generation, 1) << "nobody else's turn comes";
  EXPECT_NE(world.state.instances[0].failure.find("verify deadline"), std::string::npos);
  EXPECT_EQ(violations(world), "");
}

TEST(Reboot, WhatIsDownAnswersNothingAndThatIsNoFailure) {
  FakeWorld world(2, Intent::reboot);
  world.plan.policy.verify.deadline_ms = 60'000;
  TimeMs down_until = 0;
  world.service_verdict = [&](const InstanceId& id) {
    if (world.phase(1) == PhaseName::verifying && down_until == 0) down_until = world.now + 20'000;
    return std::optional(world.now < down_until && id == world.id(1) ? ServiceVerdict::indeterminate
                                                                     : ServiceVerdict::proven);
  };
  world.healthy = [&](const InstanceId& id) {
    return world.now >= down_until || id != world.id(1);
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded") << world.text();
  EXPECT_EQ(violations(world), "");
}

TEST(Reboot, ARefusedRebootPutsTheHostBack) {
  FakeWorld world(2, Intent::reboot);
  see_boots(world);
  world.on_effect = [](const Effect& effect) -> std::optional<Outcome> {
    if (effect.kind != EffectKind::act) return std::nullopt;
    Outcome refused;
    refused.status = OutcomeStatus::failed;
    refused.detail = "sudo: a password is required";
    return refused;
  };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
  EXPECT_TRUE(world.at(1).in);
  EXPECT_EQ(world.at(1).generation, 1);
  EXPECT_EQ(violations(world), "");
}

TEST(Reboot, WhatFailsInTheSoakIsTakenOutAndNotRebootedAgain) {
  FakeWorld world(3, Intent::reboot);
  see_boots(world);
  world.on_step = [&world](TimeMs) {
    if (world.state.instances.empty() || world.phase(1) != PhaseName::soaking) return;
    world.at(1).errors += 100;
  };
  world.run();
  EXPECT_EQ(world.result(), "human_needed") << world.text();
  EXPECT_EQ(world.phase(1), PhaseName::quarantined);
  EXPECT_FALSE(world.at(1).in);
  EXPECT_EQ(world.at(1).generation, 2);
  EXPECT_EQ(violations(world), "");
}

// web lives on all three, db on the first two: together they leave one at a time of these.
void two_services(FakeWorld& world) {
  see_boots(world);
  world.plan.policy.capacity.at_once = 3;
  world.plan.policy.capacity.floor = 1;
  world.plan.instances[0].canary = false;
  world.plan.floors = {{"web", 1, {world.id(1), world.id(2), world.id(3)}},
                       {"db", 1, {world.id(1), world.id(2)}}};
}

TEST(Reboot, TheFloorOfEveryServiceHolds) {
  FakeWorld world(3, Intent::reboot);
  two_services(world);
  bool both = false, two_out = false;
  world.on_step = [&](TimeMs) {
    both |= !world.at(1).in && !world.at(2).in;
    two_out |= !world.at(3).in && (!world.at(1).in || !world.at(2).in);
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded") << world.text();
  EXPECT_FALSE(both);
  EXPECT_TRUE(two_out) << "the floor of web allows two";
  EXPECT_EQ(violations(world), "");
}

TEST(Reboot, AFloorIsHeldByAHostThatIsNotTouched) {
  FakeWorld world(3, Intent::reboot);
  two_services(world);
  world.plan.instances[1].skip_reason = "not selected";
  world.at(2).check_passes = false;  // the other half of db is sick
  world.run();
  EXPECT_EQ(world.result(), "blocked");
  EXPECT_EQ(world.at(1).generation, 1) << "host 1 would leave db with nobody";
  EXPECT_EQ(violations(world), "");
}

TEST(Reboot, TheRuleNamesTheServiceThatIsShort) {
  FakeWorld world(3, Intent::reboot);
  two_services(world);
  world.at(2).check_passes = false;
  world.plan.instances[1].skip_reason = "not selected";
  world.run(300);
  const Permission permission = may_take_out(world.state, world.state.instances[0]);
  EXPECT_FALSE(permission.granted);
  EXPECT_NE(permission.reason.find("db"), std::string::npos) << permission.reason;
  EXPECT_EQ(tightest_floor(world.state, world.id(3)).service, "web");
  EXPECT_EQ(counted(world.state), 3);
}

}  // namespace
}  // namespace hitless::core
