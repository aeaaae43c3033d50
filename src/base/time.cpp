#include "base/time.hpp"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "base/text.hpp"

namespace hitless {
namespace {

constexpr DurationMs kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                     kDay = 24 * kHour;
// Longer than any deadline that makes sense; keeps sums far away from overflow.
constexpr DurationMs kLongest = 3650 * kDay;

std::tm utc(TimeMs at) {
  // Floor, so that times before 1970 do not come out a second late.
  const std::time_t seconds = static_cast<std::time_t>(at >= 0 ? at / 1000 : (at - 999) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return parts;
}

DurationMs unit_in_ms(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit == "s") return kSecond;
  if (unit == "m") return kMinute;
  if (unit == "h") return kHour;
  if (unit == "d") return kDay;
  return 0;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

tl::unexpected<Error> bad_duration(std::string_view text, std::string_view why) {
  return fail(
      ErrorCode::invalid,
      fmt::format("`{}` is not a duration: {}", escape_for_terminal(truncate_utf8(text, 60)), why),
      {}, "write a number with a unit, such as 250ms, 30s, 5m or 1h");
}

}  // namespace

TimeMs wall_now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

DurationMs steady_now_ms() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

DurationMs boot_now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return DurationMs{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string format_clock(TimeMs at) {
  const std::tm t = utc(at);
  return fmt::format("{:02}:{:02}:{:02}Z", t.tm_hour, t.tm_min, t.tm_sec);
}

std::string format_timestamp(TimeMs at) {
  const std::tm t = utc(at);
  const auto ms = ((at % 1000) + 1000) % 1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, ms);
}

std::string format_day(TimeMs at) {
  const std::tm t = utc(at);
  return fmt::format("{:04}{:02}{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
}

std::string format_duration(DurationMs d) {
  if (d < 0) return d == INT64_MIN ? "-?" : "-" + format_duration(-d);
  if (d < kSecond) return fmt::format("{}ms", d);
  if (d < kMinute - 50) {
    return d % kSecond == 0 ? fmt::format("{}s", d / kSecond)
                            : fmt::format("{:.1f}s", static_cast<double>(d) / 1000.0);
  }
  const DurationMs seconds = (d + kSecond / 2) / kSecond;
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  const DurationMs minutes = (d + kMinute / 2) / kMinute;
  if (minutes < 48 * 60) return fmt::format("{}h{:02}m", minutes / 60, minutes % 60);
  const DurationMs hours = (d + kHour / 2) / kHour;
  return fmt::format("{}d{:02}h", hours / 24, hours % 24);
}

Result<DurationMs> parse_duration(std::string_view text) {
  constexpr std::size_t longest_text = 40;
  if (text.empty() || text.size() > longest_text) return bad_duration(text, "empty or too long");
  double total = 0;
  DurationMs last_unit = kLongest;
  std::size_t i = 0;
  while (i < text.size()) {
    if (!is_digit(text[i])) return bad_duration(text, "a number is expected");
    double number = 0;
    for (; i < text.size() && is_digit(text[i]); ++i) number = number * 10 + (text[i] - '0');
    if (i + 1 < text.size() && text[i] == '.' && is_digit(text[i + 1])) {
      double scale = 0.1;
      for (++i; i < text.size() && is_digit(text[i]); ++i, scale /= 10)
        number += scale * (text[i] - '0');
    }
    const std::size_t unit_at = i;
    while (i < text.size() && !is_digit(text[i])) ++i;
    const std::string_view unit = text.substr(unit_at, i - unit_at);
    if (unit.empty()) return bad_duration(text, "the unit is missing");
    const DurationMs unit_ms = unit_in_ms(unit);
    if (unit_ms == 0) return bad_duration(text, "the unit is not one of ms, s, m, h, d");
    if (unit_ms >= last_unit) return bad_duration(text, "units must go from large to small");
    last_unit = unit_ms;
    total += number * static_cast<double>(unit_ms);
    if (total > static_cast<double>(kLongest)) return bad_duration(text, "longer than ten years");
  }
  return static_cast<DurationMs>(total + 0.5);
}

}  // namespace hitless
