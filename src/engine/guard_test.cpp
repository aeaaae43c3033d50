#include "engine/guard.hpp"

#include <gtest/gtest.h>

namespace hitless::engine {
namespace {

// Timers in memory; what is armed, and how often somebody asked for it.
class Timers final : public ports::Watchdog {
 public:
  Task<std::string> describe(core::InstanceId) override { co_return "in memory"; }
  Task<Status> arm(ports::WatchdogOrder order) override {
    ++arms;
    co_await sleep_for(delay_ms);
    if (fails) co_return fail(ErrorCode::unavailable, "no timers today");
    armed[order.instance.value] = order.after_ms;
    co_return Status{};
  }
  Task<Status> disarm(core::InstanceId instance, std::int64_t) override {
    most_at_once = std::max(most_at_once, ++at_once);
    co_await sleep_for(delay_ms);
    --at_once;
    armed.erase(instance.value);
    co_return Status{};
  }
  Task<Result<std::vector<ports::WatchdogAlarm>>> alarms() override {
    co_return std::vector<ports::WatchdogAlarm>{};
  }
  Task<Status> clear_alarms(core::InstanceId) override { co_return Status{}; }

  int arms = 0;
  DurationMs delay_ms = 1;
  bool fails = false;
  int at_once = 0, most_at_once = 0;  // disarmings
  std::map<std::string, DurationMs> armed;
};

const core::InstanceId kFirst{"web@web01"}, kSecond{"web@web02"};

template <class Body>
void with_guard(Timers* timers, Body body) {
  run_until_done([&]() -> Task<void> {
    GuardParts parts;
    parts.watchdog = timers;
    parts.claimant.rollout = "R-1";
    Guard guard(parts);
    co_await guard.keep([] { return std::vector<Guard::Out>{}; }, [](Error) {});
    co_await body(&guard);
    co_await guard.stop();
  });
}

TEST(Guard, WhoWasArmedAheadIsNotArmedAgainForItsDrain) {
  Timers timers;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    co_await guard->arm_ahead({kFirst, 30'000});
    co_await guard->arm_ahead({kFirst, 30'000});
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));  // waits for the one under way
    EXPECT_EQ(timers.arms, 1);
    EXPECT_EQ(timers.armed.count(kFirst.value), 1U);
  });
  EXPECT_EQ(timers.armed.count(kFirst.value), 1U) << "it is out: its timer is not the guard's";
}

TEST(Guard, ATimerThatWouldFireInTheMiddleOfTheDrainIsArmedAnew) {
  Timers timers;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    co_await guard->arm_ahead({kFirst, 10'000});
    EXPECT_TRUE(co_await guard->arm({kFirst, 60'000}));
    EXPECT_EQ(timers.arms, 2);
    EXPECT_GT(timers.armed[kFirst.value], 60'000);
  });
}

TEST(Guard, ATimerThatCouldNotBeArmedAheadDoesNotCount) {
  Timers timers;
  timers.fails = true;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    co_await guard->arm_ahead({kFirst, 30'000});
    EXPECT_FALSE(co_await guard->arm({kFirst, 30'000}));
    timers.fails = false;
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    EXPECT_EQ(timers.armed.count(kFirst.value), 1U);
  });
}

TEST(Guard, AfterItWasDisarmedItIsArmedAgain) {
  Timers timers;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    co_await guard->disarm(kFirst);
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    EXPECT_EQ(timers.arms, 2);
  });
}

TEST(Guard, WhomNoDrainCameForIsDisarmedAtTheEnd) {
  Timers timers;
  timers.delay_ms = 30;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    co_await guard->arm_ahead({kFirst, 30'000});
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    co_await guard->arm_ahead({kSecond, 30'000});  // still under way when the end comes
  });
  EXPECT_EQ(timers.armed.count(kFirst.value), 1U);
  EXPECT_EQ(timers.armed.count(kSecond.value), 0U);
}

// Found by the crash matrix: killed after the end was durable, before stop(). Nobody takes over
// then.
TEST(Guard, BeforeTheEndIsDurableWhomNoDrainCameForIsDisarmed) {
  Timers timers;
  timers.delay_ms = 30;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    co_await guard->arm_ahead({kSecond, 30'000});
    co_await guard->settle();
    EXPECT_EQ(timers.armed.count(kFirst.value), 1U) << "it is out";
    EXPECT_EQ(timers.armed.count(kSecond.value), 0U);
    co_await guard->arm_ahead({kSecond, 30'000});
    co_await sleep_for(60);
    EXPECT_EQ(timers.armed.count(kSecond.value), 0U);
  });
}

TEST(Guard, WhomARejoinLetGoIsDisarmedBeforeTheEndIsDurable) {
  Timers timers;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    guard->disarm_soon(kFirst);
    co_await guard->settle();
    EXPECT_TRUE(timers.armed.empty());
  });
}

// The background was busy with another host when the instance left again.
TEST(Guard, ADisarmingThatComesLateLeavesTheTimerOfTheNextDrain) {
  Timers timers;
  timers.delay_ms = 30;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    EXPECT_TRUE(co_await guard->arm({kSecond, 30'000}));
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    guard->disarm_soon(kFirst);
    guard->disarm_soon(kSecond);
    co_await sleep_for(10);  // at the first of them
    EXPECT_TRUE(co_await guard->arm({kSecond, 30'000}));
    co_await sleep_for(100);
    EXPECT_EQ(timers.armed.count(kSecond.value), 1U) << "it is out again";
  });
}

// A host that does not answer costs its own time, not that of all.
TEST(Guard, ManyAreDisarmedSideBySide) {
  Timers timers;
  timers.delay_ms = 20;
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    for (int i = 0; i < 5; ++i) {
      const core::InstanceId id{"web@web1" + std::to_string(i)};
      EXPECT_TRUE(co_await guard->arm({id, 30'000}));
    }
    for (int i = 0; i < 5; ++i) guard->disarm_soon({"web@web1" + std::to_string(i)});
    co_await guard->settle();
    EXPECT_TRUE(timers.armed.empty());
    EXPECT_GT(timers.most_at_once, 1);
  });
}

// Found by the crash matrix: killed while the next one was armed ahead, its timer stayed.
TEST(Guard, WhomADeadControllerMayHaveArmedAheadIsDisarmed) {
  Timers timers;
  timers.armed = {{kFirst.value, 30'000}, {kSecond.value, 30'000}};
  with_guard(&timers, [&](Guard* guard) -> Task<void> {
    guard->inherit(kFirst);
    guard->inherit(kSecond);
    EXPECT_TRUE(co_await guard->arm({kFirst, 30'000}));
    EXPECT_EQ(timers.arms, 1) << "nobody knows how long the old timer lasts";
    for (int i = 0; i < 500 && timers.armed.count(kSecond.value) != 0; ++i) co_await sleep_for(2);
    EXPECT_EQ(timers.armed.count(kSecond.value), 0U) << "while the rollout goes on";
  });
  EXPECT_EQ(timers.armed.count(kFirst.value), 1U) << "it is out";
  EXPECT_EQ(timers.armed.count(kSecond.value), 0U);
}

// A lease on one host that may be rebooted, or taken by somebody else.
class OneClaim final : public ports::Coordination {
 public:
  Task<Result<ports::Lease>> acquire(ports::Claimant, std::int64_t) override {
    co_return ports::Lease{1, 60'000};
  }
  Task<Status> renew() override {
    ++renewals;
    if (taken_over) co_return fail(ErrorCode::refused, "taken over");
    wiped = false;
    co_return Status{};
  }
  Task<Status> release() override { co_return Status{}; }
  Task<Status> check(core::InstanceId, std::int64_t) override {
    if (wiped) co_return fail(ErrorCode::not_found, "there is no claim of ours");
    if (taken_over) co_return fail(ErrorCode::refused, "taken over");
    co_return Status{};
  }
  bool wiped = false, taken_over = false;
  int renewals = 0;
};

template <class Body>
void with_claim(OneClaim* claim, Body body) {
  run_until_done([&]() -> Task<void> {
    GuardParts parts;
    parts.coordination = claim;
    Guard guard(parts);
    EXPECT_TRUE(co_await guard.take(0));
    co_await body(&guard);
  });
}

TEST(Guard, AClaimThatARebootHasWipedIsTakenAnew) {
  OneClaim claim;
  with_claim(&claim, [&](Guard* guard) -> Task<void> {
    EXPECT_FALSE(co_await guard->takes_anew(kFirst)) << "it was refused for another reason";
    EXPECT_EQ(claim.renewals, 0);
    claim.wiped = true;
    EXPECT_TRUE(co_await guard->check(kFirst));
    EXPECT_EQ(claim.renewals, 1);
    claim.wiped = true;
    EXPECT_TRUE(co_await guard->takes_anew(kFirst));
  });
}

TEST(Guard, AClaimOfSomebodyElseIsNot) {
  OneClaim claim;
  with_claim(&claim, [&](Guard* guard) -> Task<void> {
    claim.taken_over = true;
    EXPECT_FALSE(co_await guard->check(kFirst));
    EXPECT_FALSE(co_await guard->takes_anew(kFirst));
    EXPECT_EQ(claim.renewals, 0);
    claim.wiped = true;  // rebooted, and too long ago to be ours
    EXPECT_FALSE(co_await guard->check(kFirst));
    EXPECT_FALSE(co_await guard->takes_anew(kFirst));
  });
}

}  // namespace
}  // namespace hitless::engine
