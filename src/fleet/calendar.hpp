// Times of day, days and dates in a named time zone: freezes, windows and schedules of the fleet
// file. Pure but for the system's time zone database (tzdata), which is read once.
//
// Daylight saving: a range holds while the clock on the wall there shows a time within it, so an
// hour that comes twice counts twice and one that does not come does not count. A schedule in an
// hour that does not come is due at the moment when the clock is put forward; in one that comes
// twice it is due once, the first time.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless::fleet {

// "Europe/Berlin", "UTC". Fails with what is wrong, and where to look.
[[nodiscard]] Status check_time_zone(std::string_view name);

struct DayTime {
  int minutes = 0;  // since midnight; 24:00 is 1440
};
[[nodiscard]] Result<DayTime> parse_day_time(std::string_view text);  // "08:00"

// Bit 0 is Monday. "mon", "mon-fri", "fri-mon" (over the weekend).
inline constexpr unsigned kEveryDay = 0x7f;
[[nodiscard]] Result<unsigned> parse_days(std::string_view text);

// "sun 03:00", "mon-fri 22:30", "03:00": every day.
struct WeeklyTime {
  unsigned days = kEveryDay;
  int minutes = 0;
};
[[nodiscard]] Result<WeeklyTime> parse_weekly_time(std::string_view text);

// "2026-12-24 18:00" or "2026-12-24"; as the wall clock shows it.
struct Moment {
  int year = 0;
  unsigned month = 0, day = 0;
  std::optional<int> minutes;  // empty: a date alone
};
[[nodiscard]] Result<Moment> parse_moment(std::string_view text);
[[nodiscard]] Status check_moment_or_time(std::string_view text);
enum class WhenTwice { first, last };  // which, of a wall-clock time that comes twice
// A date alone is its midnight; end_of_day: the midnight after it.
[[nodiscard]] TimeMs instant_of(const Moment& moment, const std::string& time_zone, WhenTwice when,
                                bool end_of_day);

struct TimeRange {
  std::string name;  // may be empty
  std::string time_zone;
  bool once = false;
  TimeMs from = 0, to = 0;               // once: instants, the latter exclusive
  unsigned days = kEveryDay;             // on which it begins
  int from_minutes = 0, to_minutes = 0;  // to <= from: it ends on the next day
};
[[nodiscard]] bool contains(const TimeRange& range, TimeMs at);
// When it will be over; empty: not within a week.
[[nodiscard]] std::optional<TimeMs> end_of(const TimeRange& range, TimeMs at);
// When it begins next; empty: not within a week.
[[nodiscard]] std::optional<TimeMs> next_begin(const std::vector<TimeRange>& ranges, TimeMs at);

// The latest time that is not after `at`.
[[nodiscard]] std::optional<TimeMs> last_due(const WeeklyTime& weekly, const std::string& time_zone,
                                             TimeMs at);
// "2026-12-24 18:00 Europe/Berlin"
[[nodiscard]] std::string wall_clock(TimeMs at, const std::string& time_zone);

}  // namespace hitless::fleet
