// Where a test wants the program to die. Only builds with HITLESS_FAILPOINTS know the variables:
//   HITLESS_CRASH_AT=N       kill -9 ourselves at the Nth point (1 is the first)
//   HITLESS_CRASH_LOG=FILE   append the name of each point that was passed
#pragma once
#include <functional>
#include <string_view>

namespace hitless::cli {

// Empty when no test asks.
[[nodiscard]] std::function<void(std::string_view)> failpoint();

}  // namespace hitless::cli
