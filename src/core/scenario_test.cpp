// Whole rollouts through the pure core, as readable stories: what is decided, in which order, and
// that the invariants hold at each step.
#include <gtest/gtest.h>

#include <utility>

#include "core/capacity.hpp"
#include "core/verdict.hpp"
#include "core/world_for_tests.hpp"

namespace hitless::core {
namespace {

std::string violations(const FakeWorld& world) {
  std::string all;
  for (const Violation& v : world.violations) all += v.rule + ": " + v.what + "\n";
  return all;
}

TEST(Scenario, OneInstanceRestartReadsLikeTheStory) {
  FakeWorld world(1);
  world.plan.policy.capacity.floor = 0;
  world.run();
  EXPECT_EQ(world.text(),
            "web@web01 waiting -> preflight\n"
            "  web@web01 preflight\n"
            "  web@web01 recheck\n"
            "web@web01 preflight -> draining\n"
            "  web@web01 drain\n"
            "  web@web01 confirm_out\n"
            "web@web01 draining -> drained\n"
            "web@web01 drained -> acting\n"
            "  web@web01 act\n"
            "web@web01 acting -> verifying\n"
            "web@web01 verifying -> rejoining\n"
            "  web@web01 rejoin\n"
            "web@web01 rejoining -> soaking\n"
            "web@web01 soaking -> done\n"
            "  rollout finish\n");
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, RollingRestartHoldsTheFloor) {
  FakeWorld world(6);
  world.plan.policy.capacity.floor = 4;
  world.plan.policy.capacity.at_once = 2;
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(world.state.lowest_serving, 4) << "two at once after the canary";
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, CanaryGoesAlone) {
  FakeWorld world(4);
  world.plan.policy.capacity.floor = 1;
  world.plan.policy.capacity.at_once = 3;
  std::size_t others_before_canary_done = 0;
  world.on_step = [&](TimeMs) {
    if (world.state.instances.empty() || world.phase(1) == PhaseName::done) return;
    for (int i = 2; i <= 4; ++i) others_before_canary_done += world.phase(i) == PhaseName::draining;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(others_before_canary_done, 0u);
}

TEST(Scenario, ZonesAreNotMixed) {
  FakeWorld world(4);
  world.plan.policy.capacity.floor = 1;
  world.plan.policy.capacity.at_once = 3;
  for (int i = 0; i < 4; ++i)
    world.plan.instances[static_cast<std::size_t>(i)].zone = i < 2 ? "a" : "b";
  bool mixed = false;
  world.on_step = [&](TimeMs) {
    bool a = false, b = false;
    for (const Instance& i : world.state.instances) {
      if (in_work(i)) (i.plan.zone == "a" ? a : b) = true;
    }
    mixed |= a && b;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_FALSE(mixed);
}

TEST(Scenario, PeerAlreadyDownMeansTheFloorSaysNo) {
  FakeWorld world(3);
  world.at(2).check_passes = false;
  world.run();
  EXPECT_EQ(world.result(), "blocked");
  EXPECT_EQ(world.text().find("drain"), std::string::npos) << world.text();
  EXPECT_NE(world.state.halt_reason.find("below the floor of 2"), std::string::npos)
      << world.state.halt_reason;
}

TEST(Scenario, WhoeverOnlyStandsByDoesNotHoldTheFloor) {
  FakeWorld world(3);
  world.at(3).standby = true;
  world.run();
  EXPECT_EQ(world.result(), "blocked");
  EXPECT_EQ(world.text().find("effect drain"), std::string::npos) << world.text();

  FakeWorld roomier(3);
  roomier.at(3).standby = true;
  roomier.plan.policy.capacity.floor = 1;
  roomier.run();
  EXPECT_EQ(roomier.result(), "succeeded");
  EXPECT_EQ(roomier.state.lowest_serving, 1) << "the two share the work, one at a time";
  EXPECT_EQ(roomier.at(3).generation, 2) << "it is restarted like the others";
}

TEST(Scenario, FailingPreflightTouchesNothing) {
  FakeWorld world(3);
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::preflight || e.instance != world.id(3)) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.preflight = PreflightReport{};
    outcome.preflight->checks.push_back(
        {"Configuration syntax", CheckStatus::unknown, "host did not answer", ""});
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "blocked");
  EXPECT_EQ(world.text().find(" drain"), std::string::npos);
  EXPECT_TRUE(world.state.incident.empty());
}

TEST(Scenario, SickNewVersionIsRolledBackAndOthersStayUntouched) {
  FakeWorld world(3, Intent::apply);
  world.healthy = [&](const InstanceId& id) { return !world.instances.at(id).new_config; };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
  EXPECT_EQ(world.phase(2), PhaseName::preflight) << "untouched";
  EXPECT_FALSE(world.at(1).new_config);
  EXPECT_TRUE(world.at(1).in);
  EXPECT_EQ(world.state.incident, "INC-1");
  EXPECT_EQ(why(world.state).rfind("web@web01: HTTP 502 (", 0), 0u) << why(world.state);
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, FailureOnTheLastRollsBackEveryChangedOneUnderTheFloor) {
  FakeWorld world(4, Intent::apply);
  world.healthy = [&](const InstanceId& id) {
    return !(id == world.id(4) && world.at(4).new_config);
  };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  for (int i = 1; i <= 4; ++i) {
    EXPECT_EQ(world.phase(i), PhaseName::rolled_back) << i;
    EXPECT_FALSE(world.at(i).new_config) << i;
    EXPECT_TRUE(world.at(i).in) << i;
  }
  EXPECT_EQ(world.state.lowest_serving, 3);
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, FailedRollbackIsQuarantinedWithAnIncident) {
  FakeWorld world(3, Intent::apply);
  world.healthy = [&](const InstanceId& id) { return id != world.id(1); };
  world.run();
  EXPECT_EQ(world.result(), "human_needed");
  EXPECT_EQ(world.phase(1), PhaseName::quarantined);
  EXPECT_FALSE(world.at(1).in) << "left out of rotation on purpose";
  EXPECT_EQ(world.state.incident, "INC-1");
}

TEST(Scenario, StuckDrainAbortsAndPutsItBack) {
  FakeWorld world(3);
  world.on_step = [&](TimeMs) { world.at(1).in_flight = 5; };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
  EXPECT_EQ(world.at(1).generation, 1) << "never restarted";
  EXPECT_TRUE(world.at(1).in);
  EXPECT_NE(why(world.state).find("drain deadline 3s: 5"), std::string::npos) << why(world.state);
}

TEST(Scenario, ForcePolicyCutsWhatIsLeft) {
  FakeWorld world(3);
  world.plan.policy.drain.on_deadline = OnDrainDeadline::force;
  world.on_step = [&](TimeMs) {
    if (world.at(1).in)
      world.at(1).in_flight = 5;
    else if (world.at(1).in_flight > 0)
      world.at(1).in_flight = 5;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded") << world.text();
  EXPECT_NE(world.text().find("close_remaining"), std::string::npos);
}

TEST(Scenario, ReloadOfTheLoadBalancerInMidDrainIsSeenAndReAsserted) {
  FakeWorld world(3);
  bool reloaded = false;
  world.on_step = [&](TimeMs) {
    if (!reloaded && !world.state.instances.empty() && world.phase(1) == PhaseName::draining &&
        !world.at(1).in) {
      for (auto& [id, it] : world.instances) {
        it.epoch = "lb2";
        it.in = true;
      }
      reloaded = true;
    }
  };
  world.run();
  EXPECT_TRUE(reloaded);
  EXPECT_EQ(world.result(), "succeeded");
  const auto drains = [&] {
    std::size_t n = 0;
    for (const auto& line : world.transcript) n += line == "  web@web01 drain";
    return n;
  }();
  EXPECT_EQ(drains, 2u);
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, QuietMeansQuietForTheWholeWindow) {
  FakeWorld world(3);
  TimeMs first_zero = 0, last_busy = 0, acted = 0;
  world.on_step = [&](TimeMs now) {
    FakeInstance& it = world.at(1);
    if (it.in) return;
    if (it.in_flight == 0 && first_zero == 0) first_zero = now;
    const bool bounce = first_zero != 0 && now >= first_zero + 150 && now < first_zero + 250;
    if (bounce) it.in_flight = 2;  // a client that came late on a kept-alive connection
    if (it.in_flight > 0) last_busy = now;
  };
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind == EffectKind::act && e.instance == world.id(1) && acted == 0) acted = world.now;
    return {};
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_GE(acted, last_busy + world.plan.policy.drain.quiet_ms);
}

TEST(Scenario, ALoadBalancerThatLagsSettlesFromItsAnswerOn) {
  FakeWorld world(3);
  world.plan.policy.drain.settle_ms = 2'000;
  world.at(1).in_flight = 20;  // a second's work: it runs beside the settling, not before it
  TimeMs drained_at = 0, acted_at = 0;
  world.on_effect = [&](const Effect& effect) -> std::optional<Outcome> {
    if (effect.kind == EffectKind::drain && drained_at == 0) drained_at = world.now;
    if (effect.kind == EffectKind::confirm_out && acted_at == 0) acted_at = world.now;
    return std::nullopt;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded") << world.text();
  EXPECT_GE(acted_at - drained_at, 2'000);
  EXPECT_LT(acted_at - drained_at, 2'500);
}

TEST(Scenario, AConnectionSeenDuringTheLastLookStartsTheWindowAnew) {
  FakeWorld world(3);
  bool seen = false;
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind == EffectKind::confirm_out && !std::exchange(seen, true)) {
      TargetReading busy = *find(world.state, e.instance)->reading;
      busy.host_connections = 1;
      world.record(TrafficSeen{{{e.instance, busy}}});
    }
    return {};
  };
  world.run();
  EXPECT_TRUE(seen);
  EXPECT_EQ(violations(world), "");
  EXPECT_EQ(world.result(), "succeeded");
}

// The last look's own reading, which saw nothing, is the beginning of that window and not its end.
TEST(Scenario, ALookThatSawNothingDoesNotMakeUpForTheConnectionBeforeIt) {
  FakeWorld world(3);
  std::vector<TimeMs> looks;
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::confirm_out || e.instance != world.id(1)) return {};
    looks.push_back(world.now);
    TargetReading reading = *find(world.state, e.instance)->reading;
    if (looks.size() == 1) {
      TargetReading busy = reading;
      busy.host_connections = 1;
      world.record(TrafficSeen{{{e.instance, busy}}});
    }
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.reading = reading;  // quiet again
    outcome.before = ServiceIdentity{};
    outcome.before->main_pid = world.at(1).generation;
    return outcome;
  };
  world.run();
  ASSERT_EQ(looks.size(), 2u) << world.text();
  EXPECT_GE(looks[1] - looks[0], world.plan.policy.drain.quiet_ms);
  EXPECT_EQ(violations(world), "");
  EXPECT_EQ(world.result(), "succeeded");
}

TEST(Scenario, PutBackBeforeTheActionMeansDrainAgain) {
  FakeWorld world(3, Intent::apply);
  bool put_back = false, acted_in_rotation = false;
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.instance != world.id(1)) return {};
    if (e.kind == EffectKind::install_config && !put_back) {
      put_back = true;
      world.at(1).in = true;  // somebody, or a reload of the load balancer
      world.at(1).in_flight = 2;
    }
    if (e.kind == EffectKind::act) acted_in_rotation |= world.at(1).in;
    return {};
  };
  world.run();
  EXPECT_TRUE(put_back);
  EXPECT_EQ(violations(world), "");
  EXPECT_FALSE(acted_in_rotation);
  EXPECT_EQ(world.result(), "succeeded");
}

TEST(Scenario, RejoinWaitsForTheLoadBalancersOwnCheck) {
  FakeWorld world(3);
  TimeMs acted = 0;
  bool rejoined_failing = false;
  world.on_step = [&](TimeMs now) {
    if (acted != 0) world.at(1).check_passes = now >= acted + 1'500;
  };
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.instance != world.id(1)) return {};
    if (e.kind == EffectKind::act) acted = world.now;
    if (e.kind == EffectKind::rejoin) rejoined_failing |= !world.at(1).check_passes;
    return {};
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_FALSE(rejoined_failing);
}

// A backup server of HAProxy: well, in rotation, and without work while the others are there.
TEST(Scenario, WhoseRequestsAreNotCountedIsNotBlamedForNone) {
  FakeWorld world(3);
  world.at(3).counted = false;
  world.on_step = [&](TimeMs) { world.at(1).requests += 50; };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(world.at(3).generation, 2);
}

TEST(Scenario, UnknownCountNeverCountsAsDrained) {
  FakeWorld world(3);
  world.on_step = [&](TimeMs) { world.at(1).reachable = world.at(1).in; };
  world.run();
  EXPECT_NE(world.result(), "succeeded");
  EXPECT_EQ(world.at(1).generation, 1) << "never acted on what it could not see";
}

TEST(Scenario, SilentReloadFailureIsCaught) {
  FakeWorld world(3, Intent::apply);
  world.service_verdict = [&](const InstanceId& id) -> std::optional<ServiceVerdict> {
    if (world.instances.at(id).new_config) return ServiceVerdict::not_applied;
    return std::nullopt;
  };
  world.run();
  EXPECT_EQ(why(world.state).rfind("web@web01: not_applied", 0), 0u)
      << "at once, not at the deadline: " << why(world.state);
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
}

TEST(Scenario, LostConnectionInMidRestartIsDecidedByObservation) {
  FakeWorld world(3);
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::act || e.instance != world.id(1)) return {};
    ++world.at(1).generation;  // it did happen
    Outcome outcome;
    outcome.detail = "connection lost";
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(world.at(1).generation, 2) << "not restarted twice";
}

TEST(Scenario, DependencyDownForOldAndNewAlikeIsBlamedNotRolledBack) {
  FakeWorld world(3, Intent::apply);
  world.healthy = [&](const InstanceId&) { return world.at(1).generation == 1; };
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::diagnose) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.diagnosis = Diagnosis{"api-gateway", 2, 2};
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "human_needed");
  EXPECT_EQ(world.phase(1), PhaseName::quarantined);
  EXPECT_TRUE(world.at(1).new_config) << "not rolled back";
  EXPECT_NE(why(world.state).find("dependency api-gateway is down"), std::string::npos);
}

TEST(Scenario, HealthyButNeverProvenDoesNotPass) {
  FakeWorld world(3);
  world.service_verdict = [](const InstanceId&) { return ServiceVerdict::indeterminate; };
  world.run();
  EXPECT_NE(world.result(), "succeeded");
  EXPECT_EQ(world.phase(2), PhaseName::preflight) << "the next one is not touched";
}

TEST(Scenario, DependencyDownInMidRolloutHaltsAndRollsNothingBack) {
  FakeWorld world(3, Intent::apply);
  world.plan.policy.capacity.floor = 1;  // a rollback would have room
  world.healthy = [&](const InstanceId& id) {
    return !(id == world.id(2) && world.at(2).new_config);
  };
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::diagnose) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.diagnosis = Diagnosis{"api-gateway", 2, 2};
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "human_needed");
  EXPECT_EQ(world.phase(1), PhaseName::done);
  EXPECT_TRUE(world.at(1).new_config) << "old and new fail alike: rolling back would not help";
  EXPECT_EQ(world.phase(3), PhaseName::preflight);
}

TEST(Scenario, FailedActionIsNotWaitedFor) {
  FakeWorld world(3);
  bool first = true;
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::act || !std::exchange(first, false)) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::failed;
    outcome.detail = "job failed";
    return outcome;
  };
  world.run();
  EXPECT_EQ(why(world.state), "web@web01: restart failed: job failed");
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back) << "the second restart brought it back";
}

TEST(Scenario, TooFewLatencySamplesIsUnknownAndNeverPasses) {
  FakeWorld world(3);
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::preflight) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.preflight = PreflightReport{};
    outcome.preflight->baseline = LatencyBaseline{3, 40'000, 50'000};
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "human_needed") << "restarted, and never proven as fast as before";
}

TEST(Scenario, SlowerThanTheBaselineIsRolledBack) {
  FakeWorld world(3, Intent::apply);
  world.latency_us = [&](const InstanceId& id) {
    return world.instances.at(id).new_config ? 400'000 : 41'000;
  };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_NE(why(world.state).find("too slow: response time 400ms"), std::string::npos)
      << why(world.state);
}

TEST(Scenario, FlappingIsCaughtAtOnce) {
  FakeWorld world(3);
  bool flapping = true;
  world.service_verdict = [&](const InstanceId& id) -> std::optional<ServiceVerdict> {
    if (id == world.id(1) && flapping) return ServiceVerdict::flapping;
    return std::nullopt;
  };
  world.on_step = [&](TimeMs) {
    if (!world.state.instances.empty() && world.phase(1) == PhaseName::rolling_back)
      flapping = false;
    if (!world.state.instances.empty() && world.state.instances[0].direction == Direction::backward)
      flapping = false;
  };
  world.run();
  EXPECT_EQ(why(world.state).rfind("web@web01: flapping", 0), 0u) << why(world.state);
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
}

TEST(Scenario, ErrorsInTheSoakRollBack) {
  FakeWorld world(3, Intent::apply);
  world.on_step = [&](TimeMs now) {
    if (world.at(2).new_config && world.at(2).in && now % 20 == 0) ++world.at(2).errors;
  };
  world.run();
  EXPECT_EQ(world.result(), "rolled_back");
  EXPECT_NE(why(world.state).find("web@web02"), std::string::npos);
  EXPECT_EQ(world.phase(1), PhaseName::rolled_back);
}

TEST(Scenario, CapacityLostInMidRolloutWaitsThenRollsBack) {
  FakeWorld world(3, Intent::apply);
  world.on_step = [&](TimeMs) {
    if (!world.state.instances.empty() && world.phase(1) == PhaseName::done)
      world.at(3).check_passes = false;
  };
  world.run();
  EXPECT_EQ(violations(world), "");
  EXPECT_EQ(world.result(), "human_needed")
      << "the changed one cannot be taken out under the floor either";
  EXPECT_TRUE(world.at(1).in);
}

TEST(Scenario, StopFinishesTheInstanceInWork) {
  FakeWorld world(3);
  bool asked = false;
  world.on_step = [&](TimeMs) {
    if (!asked && !world.state.instances.empty() && world.phase(1) == PhaseName::verifying) {
      world.record(OperatorAsked{OperatorWish::stop, "me"});
      asked = true;
    }
  };
  world.run();
  EXPECT_EQ(world.result(), "aborted");
  EXPECT_EQ(world.phase(1), PhaseName::done);
  EXPECT_EQ(world.phase(2), PhaseName::preflight);
}

TEST(Scenario, AbortInMidDrainPutsItBack) {
  FakeWorld world(3, Intent::apply);
  bool asked = false;
  world.on_step = [&](TimeMs) {
    if (!asked && !world.state.instances.empty() && world.phase(2) == PhaseName::draining) {
      world.record(OperatorAsked{OperatorWish::abort, "me"});
      asked = true;
    }
  };
  world.run();
  EXPECT_EQ(world.result(), "aborted");
  for (int i = 1; i <= 3; ++i) {
    EXPECT_TRUE(world.at(i).in) << i;
    EXPECT_FALSE(world.at(i).new_config) << i;
  }
  EXPECT_EQ(violations(world), "");
}

TEST(Scenario, SomeoneElsesMaintIsLeftAlone) {
  FakeWorld world(4);
  world.plan.policy.capacity.floor = 2;
  world.at(3).in = false;
  world.at(3).in_flight = 0;
  world.on_effect = [&](const Effect& e) -> std::optional<Outcome> {
    if (e.kind != EffectKind::preflight || e.instance != world.id(3)) return {};
    Outcome outcome;
    outcome.status = OutcomeStatus::ok;
    outcome.preflight = PreflightReport{};
    outcome.preflight->skip_reason = "MAINT, not ours";
    return outcome;
  };
  world.run();
  EXPECT_EQ(world.result(), "succeeded");
  EXPECT_EQ(world.phase(3), PhaseName::skipped);
  EXPECT_FALSE(world.at(3).in);
  EXPECT_EQ(world.at(3).generation, 1);
}

TEST(Scenario, ReplayGivesTheSameState) {
  FakeWorld world(4, Intent::apply);
  world.healthy = [&](const InstanceId& id) {
    return !(id == world.id(3) && world.at(3).new_config);
  };
  world.run();
  State replayed;
  for (const auto& [at, event] : world.journal) replayed = apply(std::move(replayed), event, at);
  ASSERT_EQ(replayed.instances.size(), world.state.instances.size());
  for (std::size_t i = 0; i < replayed.instances.size(); ++i) {
    EXPECT_EQ(name_of(replayed.instances[i].phase), name_of(world.state.instances[i].phase));
  }
  EXPECT_EQ(replayed.ended, world.state.ended);
  EXPECT_EQ(replayed.next_effect, world.state.next_effect);
}

}  // namespace
}  // namespace hitless::core
