// A controller killed at any entry of the journal, its effects carried out or not: the next one
// finishes the rollout, no rule is broken on the way, and nothing is done twice that must not be.
#include <gtest/gtest.h>

#include "core/recovery.hpp"
#include "core/world_for_tests.hpp"

namespace hitless::core {
namespace {

std::string violations(const FakeWorld& world) {
  std::string all;
  for (const Violation& v : world.violations) all += v.rule + ": " + v.what + "\n";
  return all;
}

// After which to kill: every entry but observations, which change nothing by themselves.
std::vector<std::size_t> decisive_entries(const FakeWorld& world) {
  std::vector<std::size_t> entries;
  for (std::size_t i = 0; i + 1 < world.journal.size(); ++i) {
    const Event& event = world.journal[i].second;
    const bool seen = std::holds_alternative<TrafficSeen>(event) ||
                      std::holds_alternative<ServiceSeen>(event) ||
                      std::holds_alternative<HealthSeen>(event);
    if (!seen) entries.push_back(i + 1);
  }
  return entries;
}

// What a driver says while the same process still runs: of a restart that it was not applied; of a
// reload it can only say that nothing shows it yet.
void tell_when_nothing_happened(FakeWorld& world, ServiceVerdict says) {
  world.service_verdict = [&world, says](const InstanceId& id) {
    const Instance* instance = find(world.state, id);
    const bool is_new = world.instances[id].generation != instance->before.main_pid;
    return std::optional(is_new ? ServiceVerdict::proven : says);
  };
}

struct Kill {
  Intent intent;
  ServiceVerdict says;
  bool carried_out;
};
class Killed : public testing::TestWithParam<Kill> {};

TEST_P(Killed, AtEachEntryTheNextControllerFinishes) {
  const auto [intent, says, carried_out] = GetParam();
  FakeWorld calm(2, intent);
  calm.run();
  ASSERT_EQ(calm.result(), "succeeded");
  for (const std::size_t entry : decisive_entries(calm)) {
    FakeWorld world(2, intent);
    tell_when_nothing_happened(world, says);
    world.kill_at_entry = entry;
    world.carried_out_when_killed = carried_out;
    world.run();
    EXPECT_EQ(world.result(), "succeeded") << "killed after entry " << entry << "\n"
                                           << world.text();
    EXPECT_EQ(violations(world), "") << "killed after entry " << entry;
    for (const auto& [id, it] : world.instances) {
      EXPECT_TRUE(it.in) << id.value << ", killed after entry " << entry;
      EXPECT_GE(it.generation, 2) << id.value << ", killed after entry " << entry;
    }
  }
}

TEST_P(Killed, WhileItRollsBackTheNextControllerRollsBack) {
  const auto [intent, says, carried_out] = GetParam();
  const auto sick = [verdict = says](FakeWorld& world) {
    tell_when_nothing_happened(world, verdict);
    world.healthy = [&world](const InstanceId& id) {
      return id != world.id(2) || world.instances[id].generation != 2;
    };
  };
  FakeWorld calm(2, intent);
  sick(calm);
  calm.run();
  ASSERT_EQ(calm.result(), "rolled_back");
  for (const std::size_t entry : decisive_entries(calm)) {
    FakeWorld world(2, intent);
    sick(world);
    world.kill_at_entry = entry;
    world.carried_out_when_killed = carried_out;
    world.run();
    EXPECT_TRUE(world.result() == "rolled_back" || world.result() == "succeeded")
        << world.result() << ", killed after entry " << entry << "\n"
        << world.text();
    EXPECT_EQ(violations(world), "") << "killed after entry " << entry;
    for (const auto& [id, it] : world.instances) {
      EXPECT_TRUE(it.in) << id.value << ", killed after entry " << entry;
      if (world.result() == "rolled_back") EXPECT_FALSE(it.new_config) << id.value;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recovery, Killed,
                         testing::Values(Kill{Intent::restart, ServiceVerdict::not_applied, false},
                                         Kill{Intent::restart, ServiceVerdict::not_applied, true},
                                         Kill{Intent::apply, ServiceVerdict::not_applied, false},
                                         Kill{Intent::apply, ServiceVerdict::not_applied, true},
                                         Kill{Intent::apply, ServiceVerdict::indeterminate, false},
                                         Kill{Intent::apply, ServiceVerdict::indeterminate, true}));

// What the next controller does first, and once it has looked: as text.
std::string decides(State state, const FakeWorld& world) {
  const TimeMs at = world.now + 1'000;
  std::string text;
  const auto add = [&](const Decision& decision) {
    for (const Event& record : decision.records) {
      const auto* step = std::get_if<Advanced>(&record);
      text += step == nullptr ? "record " + std::to_string(record.index())
                              : step->instance.value + std::string(to_string(step->to));
      text += "; ";
    }
    for (const Effect& effect : decision.effects) {
      text += effect.id + " " + std::string(to_string(effect.kind)) + " " + effect.instance.value +
              (effect.direction == Direction::backward ? " back; " : "; ");
    }
    text += std::to_string(decision.watches.size()) + " watches, wake " +
            std::to_string(decision.wake_at.value_or(0)) + "\n";
  };
  apply_to(state, ControllerTookOver{state.epoch + 1, "next"}, at);
  add(decide(state, at));
  TrafficSeen seen;
  for (const Instance& instance : state.instances) {
    TargetReading reading;
    reading.state = instance.taken_out ? TargetState::out : TargetState::in;
    reading.check = LbCheck::pass;
    reading.in_flight = reading.host_connections = 0;
    seen.readings.emplace_back(instance.plan.id, reading);
  }
  apply_to(state, seen, at + 10);
  add(decide(state, at + 10));
  return text;
}

// Why the crash matrix need not kill at every entry of observations: with or without it in the
// journal, the next controller decides the same.
TEST(Recovery, ObservationsBeforeATakeoverDecideNothing) {
  for (const Intent intent : {Intent::restart, Intent::reload, Intent::apply}) {
    for (const bool sick : {false, true}) {
      FakeWorld world(2, intent);
      if (sick)
        world.healthy = [&](const InstanceId& id) {
          return id != world.id(2) || world.instances[id].generation != 2;
        };
      world.run();
      State state;
      int observations = 0;
      for (const auto& [at, event] : world.journal) {
        const State before = state;
        apply_to(state, event, at);
        const bool seen = std::holds_alternative<TrafficSeen>(event) ||
                          std::holds_alternative<ServiceSeen>(event) ||
                          std::holds_alternative<HealthSeen>(event);
        if (!seen || state.ended) continue;
        ++observations;
        ASSERT_EQ(decides(state, world), decides(before, world))
            << to_string(intent) << ", observation " << observations;
      }
      EXPECT_GT(observations, 20);
    }
  }
}

TEST(Recovery, AnEffectOfAStaleEpochChangesNothing) {
  FakeWorld world(1);
  world.plan.policy.capacity.floor = 0;
  world.kill_at_entry = 8;
  world.run();
  ASSERT_EQ(world.state.epoch, 2);
  State late = State{};
  apply_to(late, RolloutStarted{world.plan, "test", 1}, 1);
  apply_to(late, ControllerTookOver{2, "test again"}, 2);
  Effect effect;
  effect.id = "R-1.1";
  effect.epoch = 1;
  effect.kind = EffectKind::drain;
  effect.instance = world.id(1);
  EXPECT_EQ(check_before(late, EffectIntended{effect}).front().rule, "I4");
  apply_to(late, EffectIntended{effect}, 3);
  EXPECT_FALSE(late.instances.front().taken_out);
  EXPECT_EQ(late.next_effect, 1);
}

TEST(Recovery, QuietBeforeTheCrashDoesNotCount) {
  FakeWorld world(1);
  world.plan.policy.capacity.floor = 0;
  world.plan.policy.drain.quiet_ms = 5'000;
  world.plan.policy.drain.deadline_ms = 60'000;
  TimeMs taken_over = 0;
  world.on_step = [&](TimeMs now) {
    if (taken_over != 0 || world.state.instances.empty()) return;
    const auto* draining = std::get_if<Draining>(&world.state.instances.front().phase);
    if (draining == nullptr || !draining->quiet_since || now < *draining->quiet_since + 4'000)
      return;
    world.kill_and_take_over(false);
    taken_over = now;
  };
  TimeMs drained = 0;
  world.run();
  for (const auto& [at, event] : world.journal) {
    const auto* step = std::get_if<Advanced>(&event);
    if (step != nullptr && step->to == PhaseName::drained) drained = at;
  }
  EXPECT_GE(drained - taken_over, 5'000);
}

// Stopped between its last looks and its next turn: nothing of them may decide anything.
TEST(Recovery, WhatALongSleepLiesOverIsVoid) {
  FakeWorld world(3);
  world.run(100);
  State state = world.state;
  Instance& first = state.instances.front();
  Effect look;
  look.id = "R-1.90";
  look.kind = EffectKind::recheck;
  look.instance = first.plan.id;
  first.pending = Pending{look, 0};
  for (Instance& each : state.instances) {
    each.reading = TargetReading{};
    each.reading->state = TargetState::in;
  }
  EffectFinished well{look.id, {}};
  well.outcome.status = OutcomeStatus::ok;
  TrafficSeen old;
  old.readings.emplace_back(first.plan.id, *first.reading);
  const OperatorAsked asked{OperatorWish::stop, "me"};
  const std::vector<Event> left = after_sleep(state, {old, well, asked});
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(std::get<EffectFinished>(left[0]).outcome.status, OutcomeStatus::unknown);
  EXPECT_TRUE(std::holds_alternative<OperatorAsked>(left[1]));
  for (const Event& event : left) apply_to(state, event, world.now);
  for (const Instance& each : state.instances)
    EXPECT_EQ(each.reading->state, TargetState::unknown) << each.plan.id.value;

  first.pending->effect.kind = EffectKind::drain;  // what was done was done
  EXPECT_EQ(std::get<EffectFinished>(after_sleep(state, {well})[0]).outcome.status,
            OutcomeStatus::ok);
}

}  // namespace
}  // namespace hitless::core
