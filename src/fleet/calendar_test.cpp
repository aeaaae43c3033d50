// Times of day in time zones: the two days a year when the clock is changed, midnight, and names
// that are none.
#include "fleet/calendar.hpp"

#include <gtest/gtest.h>

namespace hitless::fleet {
namespace {

constexpr TimeMs kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
const std::string kBerlin = "Europe/Berlin", kUtc = "UTC";

TimeMs utc(const char* text) {
  return instant_of(*parse_moment(text), kUtc, WhenTwice::first, false);
}

TimeRange daily(const char* from, const char* to, const std::string& zone,
                unsigned days = kEveryDay) {
  TimeRange range;
  range.time_zone = zone;
  range.days = days;
  range.from_minutes = parse_day_time(from)->minutes;
  range.to_minutes = parse_day_time(to)->minutes;
  return range;
}

TEST(Calendar, Instants) {
  EXPECT_EQ(utc("1970-01-01"), 0);
  EXPECT_EQ(utc("2026-12-24 18:00"), 1798135200000);
  // Berlin: CET and CEST; a date's end is the next midnight, on a day of 23 hours too.
  EXPECT_EQ(instant_of(*parse_moment("2026-12-24 18:00"), kBerlin, WhenTwice::first, false),
            utc("2026-12-24 17:00"));
  EXPECT_EQ(instant_of(*parse_moment("2026-07-01"), kBerlin, WhenTwice::first, false),
            utc("2026-06-30 22:00"));
  EXPECT_EQ(instant_of(*parse_moment("2026-03-29"), kBerlin, WhenTwice::first, true) -
                instant_of(*parse_moment("2026-03-29"), kBerlin, WhenTwice::first, false),
            23 * kHour);
  EXPECT_EQ(wall_clock(utc("2026-07-01 10:05"), kBerlin), "2026-07-01 12:05 Europe/Berlin");
  // As far as the database's table goes; dates beyond are refused.
  EXPECT_EQ(instant_of(*parse_moment("2037-07-01"), kBerlin, WhenTwice::first, false),
            utc("2037-06-30 22:00"));
  // The hour that comes twice, on 25 October 2026 at 3:00.
  EXPECT_EQ(instant_of(*parse_moment("2026-10-25 02:30"), kBerlin, WhenTwice::first, false),
            utc("2026-10-25 00:30"));
  EXPECT_EQ(instant_of(*parse_moment("2026-10-25 02:30"), kBerlin, WhenTwice::last, false),
            utc("2026-10-25 01:30"));
}

TEST(Calendar, RangesFollowTheClockOnTheWall) {
  const TimeRange work = daily("08:00", "18:00", kBerlin, *parse_days("mon-fri"));
  EXPECT_FALSE(contains(work, utc("2026-01-14 06:59")));  // a Wednesday, CET
  EXPECT_TRUE(contains(work, utc("2026-01-14 07:00")));
  EXPECT_TRUE(contains(work, utc("2026-01-14 16:59")));
  EXPECT_FALSE(contains(work, utc("2026-01-14 17:00")));
  EXPECT_TRUE(contains(work, utc("2026-07-15 06:00"))) << "CEST";
  EXPECT_FALSE(contains(work, utc("2026-07-15 16:00")));
  EXPECT_FALSE(contains(work, utc("2026-01-17 10:00"))) << "Saturday";
  // Over midnight: the day is the one on which it begins.
  const TimeRange night = daily("22:00", "06:00", kUtc, *parse_days("fri"));
  EXPECT_FALSE(contains(night, utc("2026-01-16 21:59")));
  EXPECT_TRUE(contains(night, utc("2026-01-16 22:00")));
  EXPECT_TRUE(contains(night, utc("2026-01-17 05:59")));
  EXPECT_FALSE(contains(night, utc("2026-01-17 06:00")));
  EXPECT_FALSE(contains(night, utc("2026-01-16 05:59"))) << "of Thursday";
  EXPECT_TRUE(contains(daily("00:00", "24:00", kUtc), utc("2026-01-16 23:59")));
  // Put forward: 02:00 to 03:00 does not come on 29 March. Put back: it comes twice.
  const TimeRange hour = daily("02:00", "03:00", kBerlin);
  int minutes = 0;
  for (TimeMs at = utc("2026-03-28 23:00"); at < utc("2026-03-29 22:00"); at += kMinute)
    minutes += contains(hour, at) ? 1 : 0;
  EXPECT_EQ(minutes, 0);
  for (TimeMs at = utc("2026-10-24 22:00"); at < utc("2026-10-25 23:00"); at += kMinute)
    minutes += contains(hour, at) ? 1 : 0;
  EXPECT_EQ(minutes, 120);
}

TEST(Calendar, EndsAndBeginnings) {
  const TimeRange night = daily("22:00", "06:00", kUtc, *parse_days("fri"));
  EXPECT_EQ(end_of(night, utc("2026-01-16 22:00")), utc("2026-01-17 06:00"));
  EXPECT_EQ(end_of(daily("00:00", "24:00", kUtc), utc("2026-01-16")), std::nullopt) << "never";
  EXPECT_EQ(next_begin({night}, utc("2026-01-12")), utc("2026-01-16 22:00"));
  EXPECT_EQ(next_begin({}, 0), std::nullopt);
  TimeRange once;
  once.once = true;
  once.from = utc("2026-12-24");
  once.to = utc("2026-12-27");
  EXPECT_FALSE(contains(once, once.from - 1));
  EXPECT_TRUE(contains(once, once.from));
  EXPECT_FALSE(contains(once, once.to));
  EXPECT_EQ(end_of(once, once.from), once.to);
  EXPECT_EQ(next_begin({once, night}, utc("2026-12-23")), once.from);
  EXPECT_EQ(next_begin({once, night}, once.to), utc("2027-01-01 22:00"));
}

TEST(Calendar, SchedulesAreDueOnceAWeek) {
  const WeeklyTime sunday = *parse_weekly_time("sun 03:00");
  EXPECT_EQ(last_due(sunday, kBerlin, utc("2026-01-18 02:00")), utc("2026-01-18 02:00"));
  EXPECT_EQ(last_due(sunday, kBerlin, utc("2026-01-18 01:59")), utc("2026-01-11 02:00"));
  EXPECT_EQ(last_due(sunday, kBerlin, utc("2026-01-24 23:00")), utc("2026-01-18 02:00"));
  // 02:30 does not come on 29 March: due as the clock jumps from 2 to 3. It comes twice on
  // 25 October: due the first time.
  const WeeklyTime early = *parse_weekly_time("02:30");
  EXPECT_EQ(last_due(early, kBerlin, utc("2026-03-29 12:00")), utc("2026-03-29 01:00"));
  EXPECT_EQ(last_due(early, kBerlin, utc("2026-10-25 12:00")), utc("2026-10-25 00:30"));
  EXPECT_EQ(last_due(early, kBerlin, utc("2026-10-25 01:15")), utc("2026-10-25 00:30"));
  // Each day once, over the whole year and in zones far from here.
  for (const std::string zone :
       {"Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu", "Africa/Cairo"}) {
    int due = 0;
    TimeMs last = *last_due(early, zone, utc("2026-01-01 12:00"));
    for (TimeMs at = utc("2026-01-01 12:00"); at < utc("2027-01-01 12:00"); at += 30 * kMinute) {
      const TimeMs now = *last_due(early, zone, at);
      EXPECT_GE(now, last);
      EXPECT_LE(at - now, kDay + kHour);
      due += now != last ? 1 : 0;
      last = now;
    }
    EXPECT_EQ(due, 365) << zone;
  }
}

TEST(Calendar, WhatIsNone) {
  for (const char* zone : {"", "Europe/Berlim", "../../etc/passwd", "/etc/localtime", "Europe/",
                           "-x", "UTC\n", "GMT+25"})
    EXPECT_FALSE(check_time_zone(zone)) << zone;
  for (const char* zone : {"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"})
    EXPECT_TRUE(check_time_zone(zone)) << zone;
  for (const char* time :
       {"", "8:00", "08:60", "24:01", "25:00", "08:00:00", "0800", "ab:cd", "-1:00"})
    EXPECT_FALSE(parse_day_time(time)) << time;
  for (const char* days : {"", "monday", "mon-", "-fri", "mon-fri-sun", "MON"})
    EXPECT_FALSE(parse_days(days)) << days;
  EXPECT_EQ(*parse_days("fri-mon"), 0b1110001u);
  EXPECT_EQ(*parse_days("wed"), 0b100u);
  for (const char* at : {"", "sun", "sun 24:00", "sun  03:00", "sun,xyz 03:00", "03:00 sun"})
    EXPECT_FALSE(parse_weekly_time(at)) << at;
  for (const char* at : {"2026-02-29", "2026-13-01", "2026-1-01", "2026-01-01T08:00", "1969-01-01",
                         "2026-01-01 25:00", "26-01-01", "2038-01-01"})
    EXPECT_FALSE(parse_moment(at)) << at;
  EXPECT_TRUE(parse_moment("2028-02-29"));
}

}  // namespace
}  // namespace hitless::fleet
