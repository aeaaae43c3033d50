#include "agent/trigger_cases.hpp"

#include <gtest/gtest.h>

namespace hitless::agent {
namespace {

constexpr DurationMs kMinute = 60'000, kHour = 60 * kMinute;
const Covered kLeak{"app@web01", "start-1"}, kOther{"app@web02", "start-7"};

Standing standing(Reach reach, std::vector<Covered> findings = {kLeak}) {
  Standing made;
  made.findings = std::move(findings);
  made.reach = reach;
  made.now = 100 * kHour;
  made.plan_valid_ms = 15 * kMinute;
  made.approval_wait_ms = 4 * kHour;
  return made;
}

Attempt attempt(std::vector<Covered> covers, bool started, Fate fate, TimeMs at = 100 * kHour) {
  return {"P-1", "hash", "R-1", at, started, fate, std::move(covers)};
}

Case of(std::vector<Attempt> attempts) {
  return {std::move(attempts)};
}

TEST(TriggerCases, ThePolicySaysHowFar) {
  EXPECT_EQ(next_step({}, standing(Reach::say)).step, Step::nothing);
  EXPECT_EQ(next_step({}, standing(Reach::act, {})).step, Step::nothing) << "nothing stands";
  for (const Reach reach : {Reach::propose, Reach::approve, Reach::act})
    EXPECT_EQ(next_step({}, standing(reach)).step, Step::plan);
  const Case waiting = of({attempt({kLeak}, false, Fate::none)});
  EXPECT_EQ(next_step(waiting, standing(Reach::say)).step, Step::nothing);
  EXPECT_EQ(next_step(waiting, standing(Reach::propose)).step, Step::wait);
  EXPECT_EQ(next_step(waiting, standing(Reach::approve)).step, Step::wait);
  EXPECT_EQ(next_step(waiting, standing(Reach::act)).step, Step::start);
}

TEST(TriggerCases, AnApprovalLetsItStartAndOnlyWhereOneIsWanted) {
  const Case waiting = of({attempt({kLeak}, false, Fate::none)});
  Standing approved = standing(Reach::approve);
  approved.approved = true;
  EXPECT_EQ(next_step(waiting, approved).step, Step::start);
  approved.reach = Reach::propose;
  EXPECT_EQ(next_step(waiting, approved).step, Step::wait) << "people run it";
  approved.reach = Reach::say;
  EXPECT_EQ(next_step(waiting, approved).step, Step::nothing);
}

TEST(TriggerCases, APlanThatNoLongerServesIsMadeAnew) {
  const auto with = [](DurationMs age) {
    return of({attempt({kLeak}, false, Fate::none, 100 * kHour - age)});
  };
  EXPECT_EQ(next_step(with(3 * kHour), standing(Reach::approve)).step, Step::wait);
  EXPECT_EQ(next_step(with(4 * kHour), standing(Reach::approve)).step, Step::plan);
  EXPECT_EQ(next_step(with(16 * kMinute), standing(Reach::act)).step, Step::plan);
  const Next more = next_step(with(0), standing(Reach::approve, {kOther, kLeak}));
  EXPECT_EQ(more.step, Step::plan) << "another instance has it too";
  EXPECT_EQ(more.open, (std::vector<Covered>{kLeak, kOther}));
}

TEST(TriggerCases, NeverTwoRolloutsOfOneFinding) {
  EXPECT_EQ(next_step(of({attempt({kLeak}, true, Fate::running)}), standing(Reach::act)).step,
            Step::wait);
  const Case done = of({attempt({kLeak}, true, Fate::succeeded, 0)});
  EXPECT_EQ(next_step(done, standing(Reach::act)).step, Step::hold);
  // Another process that leaks is another finding; so is another instance.
  EXPECT_EQ(next_step(done, standing(Reach::act, {{"app@web01", "start-2"}})).step, Step::plan);
  EXPECT_EQ(next_step(done, standing(Reach::act, {kLeak, kOther})).open,
            std::vector<Covered>{kOther});
}

TEST(TriggerCases, WhatFailedIsNotTriedAgainByItself) {
  for (const Fate fate : {Fate::failed, Fate::cut_off}) {
    const Case failed = of({attempt({kLeak}, true, fate, 0)});
    EXPECT_EQ(next_step(failed, standing(Reach::act)).step, Step::hold);
    // The rollback was a restart too: the leak of the new process is the same story.
    EXPECT_EQ(next_step(failed, standing(Reach::act, {{"app@web01", "start-2"}})).step, Step::hold);
    EXPECT_EQ(next_step(failed, standing(Reach::act, {kOther})).step, Step::hold);
  }
  const Case failed = of({attempt({kLeak}, true, Fate::failed, 0)});
  Standing mended = standing(Reach::act);
  mended.mended = true;
  EXPECT_EQ(next_step(failed, mended).step, Step::hold) << "this very finding never";
  mended.findings = {kOther};
  EXPECT_EQ(next_step(failed, mended).step, Step::plan);
  const Case cut = of({attempt({kLeak}, true, Fate::cut_off, 0)});
  EXPECT_EQ(next_step(cut, mended).step, Step::hold) << "a person ends it";
}

TEST(TriggerCases, NothingBeginsByItselfOnAServiceInTrouble) {
  Standing troubled = standing(Reach::act);
  troubled.troubled = "R-9";
  EXPECT_EQ(next_step({}, troubled).step, Step::hold);
  troubled.reach = Reach::approve;
  EXPECT_EQ(next_step({}, troubled).step, Step::plan) << "a person will look at it";
}

TEST(TriggerCases, RefusalsAreTriedAgainButNotForEver) {
  Case refused = of({attempt({kLeak}, true, Fate::refused), attempt({kLeak}, true, Fate::refused)});
  EXPECT_EQ(next_step(refused, standing(Reach::act)).step, Step::plan);
  add_attempt(refused, attempt({kLeak}, true, Fate::refused));
  EXPECT_EQ(next_step(refused, standing(Reach::act)).step, Step::hold);
}

TEST(TriggerCases, WhatComesBackAllDayIsNotMendedByRestarts) {
  Case busy;
  for (int i = 0; i < 3; ++i)
    add_attempt(busy,
                attempt({{"app@web01", "start-" + std::to_string(i)}}, true, Fate::succeeded));
  EXPECT_EQ(next_step(busy, standing(Reach::act, {kOther})).step, Step::hold);
  Standing later = standing(Reach::act, {kOther});
  later.now += 25 * kHour;
  EXPECT_EQ(next_step(busy, later).step, Step::plan);
  Standing schedule = standing(Reach::act, {kOther});
  schedule.scheduled = true;
  EXPECT_EQ(next_step(busy, schedule).step, Step::plan);
}

TEST(TriggerCases, AScheduleThatWasKeptIsNoMatterForPeople) {
  Standing schedule = standing(Reach::act);
  schedule.scheduled = true;
  EXPECT_EQ(next_step(of({attempt({kLeak}, true, Fate::succeeded)}), schedule).step, Step::nothing);
  EXPECT_EQ(next_step(of({attempt({kLeak}, true, Fate::failed)}), schedule).step, Step::hold);
  EXPECT_EQ(next_step({}, schedule).step, Step::plan);
}

TEST(TriggerCases, WhatIsGoneMayComeBack) {
  Case done = of({attempt({kLeak, kOther}, true, Fate::succeeded, 0)});
  forget_gone(done, {kOther});
  EXPECT_EQ(next_step(done, standing(Reach::act)).step, Step::plan);
  EXPECT_EQ(next_step(done, standing(Reach::act, {kOther})).step, Step::hold);
  Case failed = of({attempt({kLeak}, true, Fate::failed, 0)});
  forget_gone(failed, {});
  EXPECT_EQ(next_step(failed, standing(Reach::act)).step, Step::hold)
      << "it has failed all the same";
  for (std::size_t i = 0; i < 2 * kMaxAttempts; ++i) add_attempt(done, {});
  EXPECT_EQ(done.attempts.size(), kMaxAttempts);
}

}  // namespace
}  // namespace hitless::agent
