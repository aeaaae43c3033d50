#include "adapters/journal/replay.hpp"

#include "adapters/journal/codec.hpp"
#include "adapters/journal/journal_for_tests.hpp"
#include "adapters/journal/state_json.hpp"

namespace hitless::journal {
namespace {

using core::InstanceId;

// One instance, taken out and put back: enough to have something to break.
std::vector<Event> small_rollout(const std::string& id) {
  core::RolloutStarted started;
  started.plan.rollout = id;
  started.plan.service = "web";
  started.plan.instances.push_back({{"web@web01"}, "web01", "", false, ""});
  started.actor = "ann";
  core::EffectIntended preflight;
  preflight.effect.id = id + ".1";
  preflight.effect.epoch = 1;
  preflight.effect.instance = {"web@web01"};
  core::EffectFinished passed;
  passed.effect_id = id + ".1";
  passed.outcome.status = core::OutcomeStatus::ok;
  passed.outcome.preflight.emplace().checks.push_back({"unit", core::CheckStatus::pass, "x\n", ""});
  core::Advanced to_preflight{
      {"web@web01"}, core::PhaseName::waiting, core::PhaseName::preflight, "its turn"};
  core::EffectIntended finish;
  finish.effect.id = id + ".2";
  finish.effect.epoch = 1;
  finish.effect.kind = core::EffectKind::finish;
  finish.effect.result = core::RolloutResult::aborted;
  core::EffectFinished finished;
  finished.effect_id = id + ".2";
  finished.outcome.status = core::OutcomeStatus::ok;
  return {started, to_preflight, preflight, passed, finish, finished};
}

void run(const TempDir& dir, const std::vector<Event>& events) {
  auto journal = open_rw(dir);
  for (const Event& event : events) ASSERT_TRUE(append(*journal, "R-1", {event}).has_value());
}

TEST(replay, a_whole_and_an_unfinished_rollout_give_their_state_again) {
  const TempDir dir;
  auto events = small_rollout("R-1");
  run(dir, events);
  auto report = replay_all(dir.state());
  ASSERT_TRUE(report.has_value()) << describe(report.error());
  EXPECT_EQ(report->rollouts, 1);
  EXPECT_EQ(report->entries, 6);
  EXPECT_TRUE(report->problems.empty()) << report->problems.front();
  for (std::size_t size = 1; size < events.size(); ++size) {
    const TempDir cut;
    run(cut, {events.begin(), events.begin() + static_cast<std::ptrdiff_t>(size)});
    report = replay_all(cut.state());
    ASSERT_TRUE(report.has_value());
    EXPECT_TRUE(report->problems.empty()) << size << ": " << report->problems.front();
  }
}

TEST(replay, a_step_against_the_rules_is_named) {
  const TempDir dir;
  auto events = small_rollout("R-1");
  core::EffectIntended act;  // in rotation, and not even drained
  act.effect.id = "R-1.9";
  act.effect.epoch = 1;
  act.effect.kind = core::EffectKind::act;
  act.effect.instance = {"web@web01"};
  events.insert(events.begin() + 4, act);
  run(dir, events);
  const auto report = replay_all(dir.state());
  ASSERT_TRUE(report.has_value());
  ASSERT_FALSE(report->problems.empty());
  EXPECT_NE(report->problems.front().find("R-1: entry 5: breaks rule I2"), std::string::npos)
      << report->problems.front();
}

TEST(replay, a_history_row_that_says_something_else_is_named) {
  ports::RolloutRow row;
  std::vector<core::Entry> entries;
  {
    const TempDir dir;
    run(dir, small_rollout("R-1"));
    auto journal = open_journal(dir.state(), Mode::read_only);
    row = (*journal)->rollouts(1)->front();
    entries = (*journal)->read("R-1").value();
  }
  ASSERT_TRUE(replay_problems(row, entries).empty());
  using Change = void (*)(ports::RolloutRow&);
  for (const Change change :
       std::initializer_list<Change>{[](ports::RolloutRow& r) { r.result = "succeeded"; },
                                     [](ports::RolloutRow& r) { r.reason = "another"; },
                                     [](ports::RolloutRow& r) { r.incident = "INC-9"; },
                                     [](ports::RolloutRow& r) { r.ended_at = 0; },
                                     [](ports::RolloutRow& r) { r.actor = "bob"; },
                                     [](ports::RolloutRow& r) { r.last_seq = 5; }}) {
    auto other = row;
    change(other);
    EXPECT_FALSE(replay_problems(other, entries).empty());
  }
  auto shuffled = entries;
  std::swap(shuffled[1], shuffled[2]);
  EXPECT_FALSE(replay_problems(row, shuffled).empty());
}

TEST(replay, every_field_of_the_state_is_compared) {
  core::State state;
  state.instances.push_back({});
  state.instances[0].phase = core::Draining{7, true, 8, 9, {}, 5, 1, {3, 2}, false, "x"};
  const std::string text = state_to_json(state);
  EXPECT_NE(text.find(R"("phase":{"name":"draining","since":7,"commanded":true)"),
            std::string::npos)
      << text;
  std::get<core::Draining>(state.instances[0].phase).samples.back() = 1;
  EXPECT_NE(state_to_json(state), text);
}

TEST(replay, an_effect_of_before_takeovers_is_of_the_first_epoch) {
  core::EffectIntended intended;
  intended.effect.epoch = 1;
  std::string text = event_to_json(intended);
  const auto at = text.find(R"("epoch":1,)");
  ASSERT_NE(at, std::string::npos);
  text.erase(at, 10);
  const auto event = event_from_json(text);
  ASSERT_TRUE(event.has_value()) << describe(event.error());
  EXPECT_EQ(std::get<core::EffectIntended>(*event).effect.epoch, 1);
}

}  // namespace
}  // namespace hitless::journal
