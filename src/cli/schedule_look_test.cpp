#include "cli/schedule_look.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

namespace hitless::cli {
namespace {

TEST(Schedules, AreDueOnceAndNeverForTheTimeBeforeTheyWereKnown) {
  fleet::Schedule schedule;
  schedule.time_zone = "UTC";
  schedule.at = *fleet::parse_weekly_time("03:00");
  schedule.within_ms = 3'600'000;
  constexpr TimeMs kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
  const TimeMs three = 100 * kDay + 3 * kHour;
  EXPECT_EQ(due_at(schedule, 0, three - 1), std::nullopt);
  EXPECT_EQ(due_at(schedule, 0, three), three);
  EXPECT_EQ(due_at(schedule, 0, three + kHour), three);
  EXPECT_EQ(due_at(schedule, 0, three + kHour + 1), std::nullopt) << "too late";
  EXPECT_EQ(due_at(schedule, three + kMinute, three + 2 * kMinute), std::nullopt)
      << "the line is new: it was not there at three";
  EXPECT_EQ(due_at(schedule, three, three), std::nullopt);
  EXPECT_EQ(due_at(schedule, three + kMinute, three + kDay), three + kDay);
}

TEST(Schedules, AreKnownFromTheFirstLookOn) {
  char name[] = "/tmp/hitless-schedules-XXXXXX";
  App app;
  app.options.state_dir = mkdtemp(name);
  fleet::Fleet fleet;
  fleet::Schedule schedule;
  schedule.name = "nightly";
  schedule.service = "web";
  schedule.intent = "restart";
  schedule.hosts = {"web01"};
  schedule.time_zone = "UTC";
  schedule.within_ms = 24LL * 3'600'000;
  fleet.schedules.push_back(schedule);
  TriggerLook look;
  look_at_schedules(app, fleet, {}, &look);
  EXPECT_TRUE(look.findings.empty()) << "a day has passed since the last midnight, and nobody knew";
  {
    auto journal = open_journal(app, true);
    ASSERT_TRUE(journal);
    const TimeMs two_days_ago = wall_now_ms() - 2 * schedule.within_ms;
    ASSERT_TRUE((*journal)->put_fact(fact_of(schedule), std::to_string(two_days_ago)));
  }
  look_at_schedules(app, fleet, "app", &look);
  EXPECT_TRUE(look.findings.empty()) << "of another service";
  look_at_schedules(app, fleet, {}, &look);
  ASSERT_EQ(look.findings.size(), 1u);
  EXPECT_EQ(name_of(look.findings[0]), "schedule nightly");
  EXPECT_EQ(look.findings[0].proposal.wish, agent::Wish::restart);
  EXPECT_EQ(look.findings[0].proposal.hosts, schedule.hosts);
  const std::string due = look.findings[0].occurrence;
  look_at_schedules(app, fleet, {}, &look);
  EXPECT_EQ(look.findings[1].occurrence, due) << "the same one";
  fleet.schedules[0].at.minutes = 1;
  TriggerLook other;
  look_at_schedules(app, fleet, {}, &other);
  EXPECT_TRUE(other.findings.empty()) << "another time of day is another schedule";
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace hitless::cli
