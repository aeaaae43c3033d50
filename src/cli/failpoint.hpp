// Where a test wants the program to die. Only builds with HITLESS_FAILPOINTS know the variables:
//   HITLESS_CRASH_AT=N       kill -9 ourselves at the Nth point (1 is the first)
//   HITLESS_CRASH_AT=N+K     at the Kth write after it that holds observations only; when there are
//                            fewer, at the next point
//   HITLESS_CRASH_AT=NAME    at the first point of this name ("before notification")
//   HITLESS_CRASH_LOG=FILE   append the name of each point that was passed
// Writes of observations only ("journal seen") are not counted by N: how many there are is chance,
// so N means about the same place in each run.
#pragma once
#include <functional>
#include <string_view>

namespace hitless::cli {

// Empty when no test asks. All of them count together.
[[nodiscard]] std::function<void(std::string_view)> failpoint();

}  // namespace hitless::cli
