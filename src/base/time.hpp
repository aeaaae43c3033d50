// Points in time are milliseconds since the Unix epoch, UTC; durations are milliseconds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless {

using TimeMs = std::int64_t;
using DurationMs = std::int64_t;

[[nodiscard]] TimeMs wall_now_ms();
// For deadlines: a clock that nobody sets. Only differences mean anything.
[[nodiscard]] DurationMs steady_now_ms();
// The same, and it goes on while the machine sleeps.
[[nodiscard]] DurationMs boot_now_ms();
[[nodiscard]] std::string format_clock(TimeMs at);        // 14:04:43Z
[[nodiscard]] std::string format_timestamp(TimeMs at);    // 2026-02-18T14:04:43.120Z
[[nodiscard]] std::string format_day(TimeMs at);          // 20260218
[[nodiscard]] std::string format_duration(DurationMs d);  // 45ms, 3.1s, 1m58s, 2h03m
// "250ms", "30s", "5m", "1h"; a bare number is refused (which unit?).
[[nodiscard]] Result<DurationMs> parse_duration(std::string_view text);

}  // namespace hitless
