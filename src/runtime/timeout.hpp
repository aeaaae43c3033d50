// with_timeout: a task with a result, cancelled at a deadline and always waited for, so that
// nothing of it runs on after the caller has gone on.
#pragma once
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "runtime/task.hpp"

namespace hitless {

namespace timeout_detail {
template <class T>
Task<void> keep_result(Task<Result<T>> task, std::shared_ptr<std::optional<Result<T>>> kept) {
  kept->emplace(co_await std::move(task));
}
}  // namespace timeout_detail

// `what` names the thing in the message: "drain of web01 did not end within 3.0s". A result that
// came in just as the deadline passed is returned when it is a success.
template <class T>
Task<Result<T>> with_timeout(Task<Result<T>> task, DurationMs limit_ms, std::string what) {
  auto kept = std::make_shared<std::optional<Result<T>>>();
  const bool in_time =
      co_await finish_within(timeout_detail::keep_result<T>(std::move(task), kept), limit_ms);
  if (kept->has_value() && (in_time || (*kept)->has_value())) co_return std::move(**kept);
  co_return fail(ErrorCode::timed_out, what + " did not end within " + format_duration(limit_ms));
}

}  // namespace hitless
