// The pure run loop, and decisions that the simulator once found wrong.
#include "core/controller.hpp"
#include "core/capacity.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/instance_fsm.hpp"
#include "core/traffic.hpp"
#include "core/verdict.hpp"
#include "core/verify.hpp"

namespace hitless::core {
namespace {

constexpr TimeMs kNow = 1'000'000;

TargetReading reading_of(TargetState state) {
  TargetReading reading;
  reading.state = state;
  reading.check = LbCheck::pass;
  reading.in_flight = reading.host_connections = 0;
  return reading;
}

// A started rollout of `n` instances, all in rotation, preflights behind them.
State started(int n, std::int64_t floor) {
  Plan plan;
  plan.rollout = "R-1";
  plan.policy.capacity.floor = floor;
  for (int i = 1; i <= n; ++i) {
    const std::string host = "web0" + std::to_string(i);
    plan.instances.push_back(InstancePlan{InstanceId{"web@" + host}, host, "", false, ""});
  }
  State state;
  apply_to(state, RolloutStarted{plan, "test", 1}, kNow);
  for (Instance& instance : state.instances) {
    instance.phase = Preflight{};
    instance.report = PreflightReport{};
    instance.reading = reading_of(TargetState::in);
  }
  return state;
}

Effect effect_on(const State& state, EffectKind kind, TimeMs deadline) {
  Effect effect;
  effect.id = "R-1." + std::to_string(state.next_effect);
  effect.epoch = state.epoch;
  effect.kind = kind;
  effect.instance = state.instances.front().plan.id;
  effect.deadline = deadline;
  return effect;
}

TEST(Controller, HandsOutEffectsOnlyWithTheirIntents) {
  const Controller controller(started(3, 2));
  const Turn turn = controller.next(kNow);
  ASSERT_FALSE(turn.broken);
  ASSERT_TRUE(turn.at_rest);
  ASSERT_EQ(turn.effects.size(), 1U);
  ASSERT_EQ(turn.events.size(), 1U);
  const auto* intended = std::get_if<EffectIntended>(&turn.events.front());
  ASSERT_NE(intended, nullptr);
  EXPECT_EQ(intended->effect.id, turn.effects.front().id);
  EXPECT_EQ(controller.state().next_effect, 1) << "nothing changes before it is durable";
}

TEST(Controller, ATurnThatWouldBreakARuleIsEmpty) {
  const State state = started(3, 2);
  const Controller controller(state);
  Effect act = effect_on(state, EffectKind::act, kNow + 1'000);
  const Turn turn = controller.take({HealthSeen{}, EffectIntended{act}}, kNow);
  ASSERT_TRUE(turn.broken);
  EXPECT_EQ(turn.broken->rule, "I2");
  EXPECT_TRUE(turn.events.empty());
}

TEST(Controller, WithoutAJournalOnlyTheUnchangedAndTheProvenGoBack) {
  State state = started(4, 1);
  for (Instance& instance : state.instances) instance.taken_out = true;
  state.instances[0].phase = Draining{};
  state.instances[1].phase = Verifying{};
  state.instances[1].acted = true;
  state.instances[2].phase = Rejoining{};
  state.instances[2].acted = true;
  state.instances[3].phase = Quarantined{"sick"};
  const std::vector<InstanceId> back = safe_to_put_back(state);
  ASSERT_EQ(back.size(), 2U);
  EXPECT_EQ(back[0].value, "web@web01");
  EXPECT_EQ(back[1].value, "web@web03");
}

TEST(Controller, TheClockOfARolloutNeverGoesBack) {
  EXPECT_EQ(RolloutClock(500, 100, 2'000).at(150), 2'050) << "a wall clock that was set back";
  EXPECT_EQ(RolloutClock(5'000, 100, 2'000).at(150), 5'050);
}

// Asleep for minutes between the last look and its answer, a watchdog put the instance back.
TEST(FoundBySimulator, ALookThatIsAnsweredAfterItsDeadlineProvesNothing) {
  for (const bool late : {false, true}) {
    State state = started(3, 2);
    Instance& instance = state.instances.front();
    Draining draining;
    draining.commanded = true;
    draining.quiet_since = kNow;
    instance.phase = draining;
    instance.taken_out = true;
    const Effect look = effect_on(state, EffectKind::confirm_out, kNow + 30'000);
    apply_to(state, EffectIntended{look}, kNow);
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.reading = reading_of(TargetState::out);
    apply_to(state, EffectFinished{look.id, outcome}, kNow + (late ? 130'000 : 10));
    EXPECT_EQ(std::get<Draining>(instance.phase).confirmed, !late);
  }
}

// What was seen before it went back says nothing: below the floor it is needed, not in the way.
TEST(FoundBySimulator, AnInstanceThatWePutBackLeavesAgainOnlyUnderTheFloor) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  instance.phase = Rejoining{};
  instance.taken_out = instance.acted = true;
  instance.reading = reading_of(TargetState::out);
  state.instances.back().reading = reading_of(TargetState::out);
  const Effect rejoin = effect_on(state, EffectKind::rejoin, kNow + 30'000);
  apply_to(state, EffectIntended{rejoin}, kNow);
  Outcome outcome;
  outcome.status = OutcomeStatus::ok;
  apply_to(state, EffectFinished{rejoin.id, outcome}, kNow);
  instance.phase = RollingBack{kNow};
  EXPECT_FALSE(next_step(state, instance, kNow).advance);
  instance.reading = reading_of(TargetState::out);
  ASSERT_TRUE(next_step(state, instance, kNow).advance);
  EXPECT_EQ(next_step(state, instance, kNow).advance->to, PhaseName::draining);
}

TEST(FoundBySimulator, ADrainIsNotToldAgainBelowTheFloorWhenNobodyCanSee) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Draining draining;
  draining.since = kNow;
  instance.phase = draining;
  instance.taken_out = true;
  for (Instance& each : state.instances) each.reading = reading_of(TargetState::unknown);
  EXPECT_FALSE(next_step(state, instance, kNow).effect);
  instance.reading = reading_of(TargetState::out);
  EXPECT_TRUE(next_step(state, instance, kNow).effect);
}

// The permission of its turn was given to the controller that is gone, by what that one saw.
TEST(FoundBySimulator, AfterATakeoverAFirstDrainAsksTheFloorAgain) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Draining draining;
  draining.since = kNow;
  instance.phase = draining;
  for (Instance& each : state.instances) each.reading = reading_of(TargetState::in);
  EXPECT_TRUE(next_step(state, instance, kNow).effect) << "permission was just asked";
  apply_to(state, ControllerTookOver{state.epoch + 1, "next"}, kNow + 10);
  EXPECT_FALSE(next_step(state, instance, kNow + 10).effect) << "nobody has looked yet";
  for (Instance& each : state.instances) each.reading = reading_of(TargetState::in);
  EXPECT_TRUE(next_step(state, instance, kNow + 20).effect);
  state.instances.back().reading = reading_of(TargetState::out);
  EXPECT_FALSE(next_step(state, instance, kNow + 30).effect) << "a peer died meanwhile";
}

TEST(FoundBySimulator, AnInstanceThatFailsWhileItSoaksDoesNotCountAsServing) {
  State state = started(3, 2);
  for (Instance& each : state.instances) each.reading = reading_of(TargetState::in);
  Instance& sick = state.instances.back();
  sick.phase = Soaking{};
  EXPECT_EQ(serving(state), 3);
  apply_to(state, HealthSeen{sick.plan.id, {HealthStatus::fail, 0, "HTTP 502"}}, kNow);
  EXPECT_EQ(serving(state), 2);
}

// Its controller may die with nobody to resume it.
TEST(FoundBySimulator, AQuarantinedInstanceHasItsIncidentBeforeTheRolloutEnds) {
  State state = started(3, 1);
  state.halted = true;
  state.instances.front().phase = Quarantined{"sick"};
  Draining draining;
  draining.since = kNow;
  state.instances.back().phase = draining;
  const auto incidents = [&] {
    const Decision decision = decide(state, kNow);
    return std::count_if(decision.effects.begin(), decision.effects.end(),
                         [](const Effect& e) { return e.kind == EffectKind::open_incident; });
  };
  EXPECT_EQ(incidents(), 1);
  state.incident = "INC-1";
  EXPECT_EQ(incidents(), 0) << "once";
}

// Seed 40392: a check of its own failed once, the next one was due after the soak had ended.
TEST(FoundBySimulator, WhatFailedLastWhileItSoaksIsNotDone) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Soaking soaking;
  soaking.since = kNow;
  instance.phase = soaking;
  const RejoinPolicy& policy = state.plan.policy.rejoin;
  const TimeMs over = kNow + policy.soak_ms;
  ASSERT_TRUE(next_step(state, instance, over).advance);
  const auto see = [&](HealthStatus status) {
    apply_to(state, HealthSeen{instance.plan.id, {status, 0, "HTTP 502"}}, over);
  };
  see(HealthStatus::fail);
  EXPECT_FALSE(next_step(state, instance, over).advance);
  see(HealthStatus::unknown);
  EXPECT_FALSE(next_step(state, instance, over).advance) << "no answer is no pass";
  const auto late = next_step(state, instance, kNow + policy.deadline_ms).advance;
  ASSERT_TRUE(late) << "it does not wait for ever";
  EXPECT_EQ(late->to, PhaseName::rolling_back);
  see(HealthStatus::pass);
  ASSERT_TRUE(next_step(state, instance, over).advance);
  EXPECT_EQ(next_step(state, instance, over).advance->to, PhaseName::done);
}

// Seed 18948: given up while in rotation; the load balancer, without a check, saw nothing wrong.
TEST(FoundBySimulator, WhatFailedDoesNotCountAsServing) {
  State state = started(3, 2);
  ASSERT_EQ(serving(state), 3);
  Instance& instance = state.instances.front();
  instance.failed = true;
  instance.phase = Quarantined{"15 of 15 requests failed"};
  EXPECT_EQ(serving(state), 2);
  instance.phase = RollingBack{kNow};
  EXPECT_EQ(serving(state), 2);
}

// Seed 126775: a node did not answer, and while it was told again the service died.
TEST(FoundBySimulator, WithoutACheckOfTheLoadBalancersWeLookAgainBeforeItGoesBackLate) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Rejoining rejoining;
  rejoining.since = kNow;
  instance.phase = rejoining;
  instance.taken_out = instance.acted = true;
  instance.reading = reading_of(TargetState::out);
  instance.reading->check = LbCheck::none;
  const auto wanted = [&] { return next_step(state, instance, kNow + 1'000).effect->kind; };
  const auto finish = [&](OutcomeStatus status) {
    const Effect effect = effect_on(state, wanted(), kNow + 30'000);
    apply_to(state, EffectIntended{effect}, kNow);
    Outcome outcome;
    outcome.status = status;
    apply_to(state, EffectFinished{effect.id, outcome}, kNow + 10);
    instance.reading = reading_of(TargetState::out);
    instance.reading->check = LbCheck::none;
  };
  EXPECT_EQ(wanted(), EffectKind::rejoin) << "it was verified just now";
  finish(OutcomeStatus::unknown);
  EXPECT_EQ(wanted(), EffectKind::recheck);
  finish(OutcomeStatus::failed);
  EXPECT_EQ(wanted(), EffectKind::recheck);
  finish(OutcomeStatus::ok);
  EXPECT_EQ(wanted(), EffectKind::rejoin);
  apply_to(state, ControllerTookOver{state.epoch + 1, "next"}, kNow + 20);
  instance.reading = reading_of(TargetState::out);
  EXPECT_EQ(wanted(), EffectKind::rejoin) << "the load balancer's own check keeps it out";
  instance.reading->check = LbCheck::none;
  EXPECT_EQ(wanted(), EffectKind::recheck) << "what the old controller saw is void";
}

// Seed 698917: the load balancer's check kept it out for long, the service died, and then the check
// passed for all (it fails open).
TEST(FoundBySimulator, WhatWaitedLongToGoBackIsLookedAtAgain) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Rejoining rejoining;
  rejoining.since = kNow;
  instance.phase = rejoining;
  instance.taken_out = instance.acted = true;
  instance.reading = reading_of(TargetState::out);
  const auto wanted = [&](TimeMs at) { return next_step(state, instance, at).effect->kind; };
  EXPECT_EQ(wanted(kNow + 1'000), EffectKind::rejoin);
  EXPECT_EQ(wanted(kNow + 9'000), EffectKind::recheck);
  const Effect effect = effect_on(state, EffectKind::recheck, kNow + 30'000);
  apply_to(state, EffectIntended{effect}, kNow + 9'000);
  Outcome well;
  well.status = OutcomeStatus::ok;
  apply_to(state, EffectFinished{effect.id, well}, kNow + 9'100);
  EXPECT_EQ(wanted(kNow + 9'100), EffectKind::rejoin);
  EXPECT_EQ(wanted(kNow + 19'100), EffectKind::recheck);
  instance.acted = false;
  EXPECT_EQ(wanted(kNow + 19'100), EffectKind::rejoin) << "as it was, it may always go back";
}

// Seed 959377: one was quarantined, and in the same moment a gate said no to the others.
TEST(FoundBySimulator, WhatIsLeftOutNeedsAHumanAlsoWhenAGateSaidNo) {
  State state = started(3, 2);
  state.halted = state.blocked = true;
  EXPECT_EQ(verdict(state), RolloutResult::blocked);
  EXPECT_FALSE(needs_incident(state));
  state.instances.front().phase = Quarantined{"fails"};
  EXPECT_EQ(verdict(state), RolloutResult::human_needed);
  EXPECT_TRUE(needs_incident(state));
}

// Seed 79910: the load balancer reloaded while it was told, and what it said next came within the
// millisecond of the answer. Nothing changed after that, so nobody looked again, for ever.
TEST(FoundBySimulator, ADrainThatWasForgottenWithinAMillisecondIsToldAgain) {
  for (const bool after : {false, true}) {
    State state = started(3, 2);
    Instance& instance = state.instances.front();
    Draining draining;
    draining.since = kNow;
    instance.phase = draining;
    const Effect drain = effect_on(state, EffectKind::drain, kNow + 30'000);
    apply_to(state, EffectIntended{drain}, kNow);
    const TrafficSeen seen{{{instance.plan.id, reading_of(TargetState::leaving)}}};
    Outcome ok;
    ok.status = OutcomeStatus::ok;
    if (!after) apply_to(state, seen, kNow + 10);
    apply_to(state, EffectFinished{drain.id, ok}, kNow + 10);
    if (after) apply_to(state, seen, kNow + 10);
    EXPECT_EQ(next_step(state, instance, kNow + 10).effect.has_value(), after);
  }
}

// Killed between the decision that it is its turn and the drain; then a human took it out.
TEST(FoundBySimulator, WhatSomeoneElseTookOutBeforeOurDrainIsLeftAlone) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  Draining draining;
  draining.since = kNow;
  instance.phase = draining;
  instance.seen_in = true;
  apply_to(state, ControllerTookOver{state.epoch + 1, "next"}, kNow + 10);
  for (Instance& each : state.instances) each.reading = reading_of(TargetState::in);
  instance.reading = reading_of(TargetState::out);
  const Step step = next_step(state, instance, kNow + 20);
  ASSERT_TRUE(step.advance);
  EXPECT_EQ(step.advance->to, PhaseName::skipped);
  instance.taken_out = true;  // with the intent of our drain it is ours
  EXPECT_FALSE(next_step(state, instance, kNow + 20).advance);
}

// Its drain was durable and its controller died; nobody knows whether it was carried out.
TEST(FoundBySimulator, WhatSomebodyPutInMaintSinceItsControllerDiedIsLeftAlone) {
  State state = started(3, 2);
  Instance& first = state.instances.front();
  first.phase = Draining{};
  first.taken_out = first.seen_in = true;
  apply_to(state, ControllerTookOver{2, "next"}, kNow);
  const auto seen_as = [&](AdminState admin) {
    State seen = state;
    std::vector<TargetReport> reports(2);
    for (TargetReport& report : reports) {
      report.admin = admin;
      report.in_flight = 0;
    }
    reports[1].admin = AdminState::maint;
    TrafficSeen event;
    event.readings.emplace_back(first.plan.id, merge(reports));
    apply_to(seen, event, kNow + 1);
    return seen;
  };
  State seen = seen_as(AdminState::maint);
  const Step step = next_step(seen, seen.instances.front(), kNow + 1);
  ASSERT_TRUE(step.advance);
  EXPECT_EQ(step.advance->to, PhaseName::skipped);
  apply_to(seen, *step.advance, kNow + 1);
  EXPECT_FALSE(seen.instances.front().taken_out) << "it is not ours to put back";
  seen.instances.front() = seen_as(AdminState::maint).instances.front();
  seen.instances.front().acted = true;
  EXPECT_FALSE(next_step(seen, seen.instances.front(), kNow + 1).advance) << "we changed it";
  const State half = seen_as(AdminState::drain);
  EXPECT_FALSE(next_step(half, half.instances.front(), kNow + 1).advance)
      << "on the other node our drain was carried out";
}

// Its host rebooted between the last look and the installing; the restart was then lost on its way.
// What ran since the reboot had not read the new configuration, and passed for the restarted one.
TEST(FoundBySimulator, WhoRunsWhenTheConfigurationIsInstalledProvesNothing) {
  State state = started(3, 2);
  Instance& first = state.instances.front();
  first.phase = Acting{};
  first.before.main_pid = 1;
  const Effect effect = effect_on(state, EffectKind::install_config, kNow + 10'000);
  apply_to(state, EffectIntended{effect}, kNow);
  EffectFinished finished{effect.id, {}};
  finished.outcome.status = OutcomeStatus::ok;
  finished.outcome.before = ServiceIdentity{};
  finished.outcome.before->main_pid = 2;
  apply_to(state, finished, kNow + 1);
  EXPECT_EQ(first.before.main_pid, 2);
}

// On one of two nodes, or so an old answer says: our rejoin has just put it back on both.
TEST(FoundBySimulator, WhatSomeNodeStillSendsWorkToMayServe) {
  State state = started(4, 3);
  Instance& back = state.instances.front();
  back.phase = RollingBack{};
  back.direction = Direction::backward;
  back.taken_out = back.acted = true;
  back.reading = reading_of(TargetState::leaving);
  EXPECT_TRUE(may_take_out(state, back).granted) << "3 others serve";
  state.instances.back().reading = reading_of(TargetState::out);
  EXPECT_FALSE(may_take_out(state, back).granted);
}

// Put back as it was; its host had rebooted meanwhile, and no check of the load balancer's says so.
TEST(FoundBySimulator, WhatNobodyCheckedBeforeItWentBackServesOnceItPassed) {
  State state = started(3, 2);
  Instance& first = state.instances.front();
  first.phase = Rejoining{};
  first.direction = Direction::backward;
  first.reading->check = LbCheck::none;
  const Advanced back{first.plan.id, PhaseName::rejoining, PhaseName::soaking, "live traffic"};
  apply_to(state, back, kNow);
  EXPECT_EQ(serving(state), 2);
  HealthSeen well{first.plan.id, {}};
  well.reading.status = HealthStatus::pass;
  apply_to(state, well, kNow + 1);
  EXPECT_EQ(serving(state), 3);

  first.phase = Rejoining{};
  first.reading->check = LbCheck::pass;  // that would keep it out
  apply_to(state, back, kNow + 2);
  EXPECT_EQ(serving(state), 3);
}

TEST(FoundBySimulator, WaitingToLeaveAgainHasAnEnd) {
  State state = started(3, 3);
  Instance& instance = state.instances.front();
  Draining draining;
  draining.since = kNow;
  instance.phase = draining;
  instance.taken_out = true;
  const Policy& policy = state.plan.policy;
  const TimeMs end = kNow + std::max(policy.drain.deadline_ms, policy.capacity.wait_ms);
  EXPECT_FALSE(next_step(state, instance, kNow).effect);
  const Step step = next_step(state, instance, end);
  ASSERT_TRUE(step.advance);
  EXPECT_EQ(step.advance->to, PhaseName::rolling_back);
}

// Counters that begin anew hold what was there before the reload of the load balancer.
TEST(FoundBySimulator, AReloadOfTheLoadBalancerHoldsNoOldErrorsAgainstAnInstance) {
  State state = started(3, 2);
  Instance& instance = state.instances.front();
  const auto see = [&](const std::string& epoch, std::int64_t requests, std::int64_t errors) {
    TargetReading reading = reading_of(TargetState::in);
    reading.epoch = epoch;
    reading.requests = requests;
    reading.errors = errors;
    apply_to(state, TrafficSeen{{{instance.plan.id, reading}}}, kNow + 10);
  };
  see("1 1", 100, 0);
  Soaking soaking;
  soaking.since = kNow;
  soaking.requests_at = 100;
  soaking.epoch = "1 1";
  instance.phase = soaking;
  see("2 1", 80, 40);
  EXPECT_EQ(soak_trouble(state, instance, std::get<Soaking>(instance.phase)), "");
  see("2 1", 120, 60);
  EXPECT_NE(soak_trouble(state, instance, std::get<Soaking>(instance.phase)), "");
}

// What a reload leaves to be seen when its controller died between the intent and the asking.
class LostReload : public testing::Test {
 protected:
  LostReload() : state_(started(3, 2)), instance_(state_.instances.front()) {
    state_.plan.action = Action::reload;
    state_.plan.policy.verify.compare_latency = false;
    Verifying verifying;
    verifying.since = kNow;
    verifying.orphaned = true;
    instance_.phase = verifying;
    instance_.taken_out = instance_.acted = true;
    see(ServiceVerdict::indeterminate);
  }
  void see(ServiceVerdict verdict) {
    ServiceReading reading;
    reading.verdict = verdict;
    reading.now.main_pid = 7;
    apply_to(state_, ServiceSeen{instance_.plan.id, reading}, kNow);
  }
  void fail_often() {
    const HealthSeen bad{instance_.plan.id, {HealthStatus::fail, 0, "HTTP 502"}};
    for (int i = 0; i < 10; ++i) apply_to(state_, bad, kNow);
  }
  Judgement judged(TimeMs at) {
    return judge(state_, instance_, std::get<Verifying>(instance_.phase), at);
  }

  State state_;
  Instance& instance_;
};

TEST_F(LostReload, IsNotJudgedByWhatRanBeforeAndIsDoneAgain) {
  fail_often();
  EXPECT_EQ(judged(kNow + 2'999).kind, Judgement::Kind::wait);
  EXPECT_EQ(judged(kNow + 3'000).kind, Judgement::Kind::never_happened);
  const Step step = next_step(state_, instance_, kNow + 3'000);
  ASSERT_TRUE(step.advance);
  EXPECT_EQ(step.advance->to, PhaseName::draining);
}

TEST_F(LostReload, ThatShowsAfterAllIsJudgedByWhatRunsNow) {
  fail_often();
  see(ServiceVerdict::proven);
  EXPECT_EQ(judged(kNow + 3'000).kind, Judgement::Kind::wait) << "old answers count for nothing";
  fail_often();
  EXPECT_EQ(judged(kNow + 3'000).kind, Judgement::Kind::fail);
}

TEST_F(LostReload, OfAControllerThatLivesHasItsWholeDeadline) {
  std::get<Verifying>(instance_.phase).orphaned = false;
  EXPECT_EQ(judged(kNow + 3'000).kind, Judgement::Kind::wait);
  EXPECT_EQ(judged(kNow + state_.plan.policy.verify.deadline_ms).kind, Judgement::Kind::fail);
}

}  // namespace
}  // namespace hitless::core
