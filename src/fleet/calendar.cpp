#include "fleet/calendar.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace hitless::fleet {
namespace {

constexpr int kMinutesADay = 24 * 60;
constexpr DurationMs kMinuteMs = 60'000;
constexpr int kMostMinutesAhead = 8 * kMinutesADay;
// The library reads the table of each zone, not the rule for the years after it.
constexpr int kFirstYear = 1970, kLastYear = 2037;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Exactly so many digits.
std::optional<int> digits(std::string_view text, std::size_t count) {
  if (text.size() != count || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value;
}

tl::unexpected<Error> bad(std::string what) {
  return fail(ErrorCode::invalid, std::move(what));
}

// Names of the database only: never a path.
bool is_zone_name(std::string_view name) {
  const auto legal = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '+' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), legal) &&
         name.front() != '/' && name.front() != '-' && name.back() != '/';
}

// The library throws for what it does not know; checked names do not reach that.
const date::time_zone* zone_of(const std::string& name) {
  return date::locate_zone(name);
}

date::sys_time<std::chrono::milliseconds> sys_of(TimeMs at) {
  return date::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds(at)};
}

struct Wall {
  date::local_days day;
  int minutes = 0;
  unsigned weekday = 0;  // 0: Monday
};

unsigned weekday_of(date::local_days day) {
  return date::weekday{day}.iso_encoding() - 1;
}

Wall wall_of(TimeMs at, const std::string& time_zone) {
  const auto local = zone_of(time_zone)->to_local(sys_of(at));
  const auto day = date::floor<date::days>(local);
  const auto minutes = date::floor<std::chrono::minutes>(local - day).count();
  return {day, static_cast<int>(minutes), weekday_of(day)};
}

TimeMs instant(date::local_days day, int minutes, const std::string& time_zone, WhenTwice when) {
  const auto local =
      date::local_time<std::chrono::milliseconds>(day) + std::chrono::minutes(minutes);
  const auto choice = when == WhenTwice::first ? date::choose::earliest : date::choose::latest;
  return zone_of(time_zone)->to_sys(local, choice).time_since_epoch().count();
}

bool on(unsigned days, unsigned weekday) {
  return ((days >> weekday) & 1u) != 0;
}

}  // namespace

Status check_time_zone(std::string_view name) {
  if (!is_zone_name(name)) return bad("a time zone looks like Europe/Berlin or UTC");
  try {
    (void)date::locate_zone(std::string(name));
    return {};
  } catch (const std::exception&) {
    return bad("the time zone database (tzdata) has no such zone");
  }
}

Result<DayTime> parse_day_time(std::string_view text) {
  const auto hours = digits(text.substr(0, 2), 2);
  const auto minutes =
      text.size() == 5 && text[2] == ':' ? digits(text.substr(3), 2) : std::nullopt;
  if (!hours || !minutes || *minutes > 59 || *hours * 60 + *minutes > kMinutesADay)
    return bad("a time of day looks like 08:00, from 00:00 to 24:00");
  return DayTime{*hours * 60 + *minutes};
}

Result<unsigned> parse_days(std::string_view text) {
  constexpr std::array<std::string_view, 7> kNames = {"mon", "tue", "wed", "thu",
                                                      "fri", "sat", "sun"};
  const auto number = [&](std::string_view name) -> std::optional<unsigned> {
    const auto found = std::find(kNames.begin(), kNames.end(), name);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<unsigned>(found - kNames.begin());
  };
  const std::size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last) return bad("days are mon, tue, wed, thu, fri, sat, sun, or mon-fri");
  unsigned days = 0;
  for (unsigned day = *first;; day = (day + 1) % 7) {
    days |= 1u << day;
    if (day == *last) return days;
  }
}

Result<WeeklyTime> parse_weekly_time(std::string_view text) {
  WeeklyTime made;
  const std::size_t space = text.find(' ');
  if (space != std::string_view::npos) {
    made.days = 0;
    for (const std::string& each : split(text.substr(0, space), ',')) {
      auto days = parse_days(each);
      if (!days) return tl::unexpected<Error>(days.error());
      made.days |= *days;
    }
  }
  auto time = parse_day_time(space == std::string_view::npos ? text : text.substr(space + 1));
  if (!time || time->minutes == kMinutesADay)
    return bad("it looks like `sun 03:00`, `mon,thu 22:30`, `mon-fri 06:00` or `03:00`");
  made.minutes = time->minutes;
  return made;
}

Result<Moment> parse_moment(std::string_view text) {
  const std::string_view what = "it looks like 2026-12-24 or 2026-12-24 18:00";
  if (text.size() < 10 || text[4] != '-' || text[7] != '-') return bad(std::string(what));
  const auto year = digits(text.substr(0, 4), 4);
  const auto month = digits(text.substr(5, 2), 2), day = digits(text.substr(8, 2), 2);
  if (!year || !month || !day) return bad(std::string(what));
  const date::year_month_day date{date::year{*year}, date::month{static_cast<unsigned>(*month)},
                                  date::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < kFirstYear || *year > kLastYear)
    return bad(date.ok() ? "dates are from 1970 to 2037" : "there is no such day");
  Moment made{*year, static_cast<unsigned>(*month), static_cast<unsigned>(*day), {}};
  if (text.size() == 10) return made;
  auto time = text[10] == ' ' ? parse_day_time(text.substr(11)) : Result<DayTime>(bad(""));
  if (!time) return bad(std::string(what));
  made.minutes = time->minutes;
  return made;
}

Status check_moment_or_time(std::string_view text) {
  if (parse_day_time(text) || parse_moment(text)) return {};
  const auto moment = parse_moment(text);
  if (text.size() >= 10) return tl::unexpected<Error>(moment.error());
  return bad("it looks like 08:00, 2026-12-24 or 2026-12-24 18:00");
}

TimeMs instant_of(const Moment& moment, const std::string& time_zone, WhenTwice when,
                  bool end_of_day) {
  const date::year_month_day date{date::year{moment.year}, date::month{moment.month},
                                  date::day{moment.day}};
  const int minutes = moment.minutes.value_or(end_of_day ? kMinutesADay : 0);
  return instant(date::local_days{date}, minutes, time_zone, when);
}

bool contains(const TimeRange& range, TimeMs at) {
  if (range.once) return range.from <= at && at < range.to;
  const Wall wall = wall_of(at, range.time_zone);
  const bool began_today = on(range.days, wall.weekday) && wall.minutes >= range.from_minutes;
  if (range.to_minutes > range.from_minutes) return began_today && wall.minutes < range.to_minutes;
  const bool began_yesterday = on(range.days, (wall.weekday + 6) % 7);
  return began_today || (began_yesterday && wall.minutes < range.to_minutes);
}

std::optional<TimeMs> end_of(const TimeRange& range, TimeMs at) {
  if (range.once) return range.to;
  TimeMs minute = at - at % kMinuteMs;
  for (int i = 0; i < kMostMinutesAhead; ++i, minute += kMinuteMs)
    if (minute > at && !contains(range, minute)) return minute;
  return std::nullopt;
}

std::optional<TimeMs> next_begin(const std::vector<TimeRange>& ranges, TimeMs at) {
  std::optional<TimeMs> next;
  for (const TimeRange& range : ranges) {
    if (range.once) {
      if (range.from > at && (!next || range.from < *next)) next = range.from;
      continue;
    }
    TimeMs minute = at - at % kMinuteMs;
    for (int i = 0; i < kMostMinutesAhead && (!next || minute < *next); ++i, minute += kMinuteMs) {
      if (minute <= at || !contains(range, minute)) continue;
      next = minute;
      break;
    }
  }
  return next;
}

std::optional<TimeMs> last_due(const WeeklyTime& weekly, const std::string& time_zone, TimeMs at) {
  const Wall wall = wall_of(at, time_zone);
  // From tomorrow on: where the clock is put back over midnight, today comes twice.
  for (int back = -1; back <= 8; ++back) {
    const date::local_days day = wall.day - date::days(back);
    if (!on(weekly.days, weekday_of(day))) continue;
    const TimeMs due = instant(day, weekly.minutes, time_zone, WhenTwice::first);
    if (due <= at) return due;
  }
  return std::nullopt;
}

std::string wall_clock(TimeMs at, const std::string& time_zone) {
  const Wall wall = wall_of(at, time_zone);
  const date::year_month_day date{wall.day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} {}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     wall.minutes / 60, wall.minutes % 60, time_zone);
}

}  // namespace hitless::fleet
