#include "runtime/task.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <stdexcept>
#include <string>

#include "runtime/timeout.hpp"

namespace hitless {
namespace {

Task<void> throw_after(DurationMs ms) {
  co_await sleep_for(ms);
  throw std::runtime_error("boom");
}

Task<void> set_after(DurationMs ms, std::shared_ptr<int> value) {
  co_await sleep_for(ms);
  ++*value;
}

Task<Result<int>> answer_after(DurationMs ms) {
  co_await sleep_for(ms);
  co_return 42;
}

Task<Result<int>> always_fails() {
  co_return fail(ErrorCode::refused, "no");
}

Task<Result<int>> always_throws() {
  co_await sleep_for(1);
  throw std::runtime_error("bug");
}

TEST(RunUntilDone, BringsExceptionsOut) {
  EXPECT_THROW(run_until_done([]() -> Task<void> { return throw_after(1); }), std::runtime_error);
}

TEST(RunUntilDone, DropsWhatStillRunsDetached) {
  auto value = std::make_shared<int>(0);
  run_until_done([&]() -> Task<void> {
    co_await detach(set_after(60'000, value));
    co_await detach(set_after(1, value));
    while (*value == 0) co_await sleep_for(1);
  });
  EXPECT_EQ(*value, 1);
  EXPECT_EQ(value.use_count(), 1) << "the dropped frame was destroyed";
}

TEST(JoinAll, WaitsForAllAndRethrowsAfterTheLast) {
  auto value = std::make_shared<int>(0);
  bool thrown = false;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    tasks.push_back(throw_after(1));
    tasks.push_back(set_after(30, value));
    tasks.push_back(set_after(5, value));
    try {
      co_await join_all(std::move(tasks));
    } catch (const std::runtime_error&) {
      thrown = *value == 2;
    }
  });
  EXPECT_TRUE(thrown);
}

TEST(JoinAll, OfNothingReturns) {
  run_until_done([]() -> Task<void> { return join_all({}); });
}

TEST(FinishWithin, CancelsAndWaits) {
  auto value = std::make_shared<int>(0);
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    tasks.push_back(set_after(60'000, value));
    tasks.push_back(set_after(60'000, value));
    const bool in_time = co_await finish_within(join_all(std::move(tasks)), 20);
    EXPECT_FALSE(in_time);
    EXPECT_EQ(value.use_count(), 1) << "both frames are gone when it returns";
    const bool second = co_await finish_within(set_after(1, value), 60'000);
    EXPECT_TRUE(second);
  });
  EXPECT_EQ(*value, 1);
}

TEST(FinishWithin, OuterDeadlineReachesInnerWaits) {
  auto value = std::make_shared<int>(0);
  auto inner = [value]() -> Task<void> {
    co_await finish_within(set_after(60'000, value), 50'000);
    *value = 99;  // must not be reached: we were cancelled
  };
  run_until_done([&]() -> Task<void> {
    const bool in_time = co_await finish_within(inner(), 20);
    EXPECT_FALSE(in_time);
  });
  EXPECT_EQ(*value, 0);
}

TEST(WithTimeout, ValueErrorExceptionAndTimeoutAreToldApart) {
  run_until_done([]() -> Task<void> {
    const auto value = co_await with_timeout(answer_after(1), 60'000, "it");
    EXPECT_EQ(value.value_or(0), 42);
    const auto error = co_await with_timeout(always_fails(), 60'000, "it");
    EXPECT_EQ(error.error().code, ErrorCode::refused);
    const auto late = co_await with_timeout(answer_after(60'000), 20, "drain of web01");
    EXPECT_EQ(late.error().code, ErrorCode::timed_out);
    EXPECT_EQ(late.error().what, "drain of web01 did not end within 20ms");
    bool thrown = false;
    try {
      co_await with_timeout(always_throws(), 60'000, "it");
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown);
  });
}

TEST(SignalTest, KeepsOneNotificationUntilTheWait) {
  run_until_done([]() -> Task<void> {
    Signal signal;
    signal.notify();
    signal.notify();
    const bool first = co_await signal.wait_for(60'000);
    EXPECT_TRUE(first);
    const bool second = co_await signal.wait_for(5);
    EXPECT_FALSE(second);
  });
}

Task<void> notify_after(DurationMs ms, Signal* signal) {
  co_await sleep_for(ms);
  signal->notify();
}

TEST(SignalTest, WakesAWaiterAndSurvivesItsOwner) {
  run_until_done([]() -> Task<void> {
    Signal signal;
    std::vector<Task<void>> tasks;
    tasks.push_back(notify_after(5, &signal));
    tasks.push_back([](Signal* s) -> Task<void> {
      const bool notified = co_await s->wait_for(60'000);
      EXPECT_TRUE(notified);
    }(&signal));
    co_await join_all(std::move(tasks));
  });
}

struct Log {
  AsyncMutex mutex;
  std::string text;
};

Task<void> enter(Log* log, char name) {
  const auto guard = co_await log->mutex.lock();
  log->text += name;
  co_await sleep_for(2);
  log->text += name;
}

TEST(AsyncMutexTest, FirstComeFirstServedOneAtATime) {
  Log log;
  run_until_done([&]() -> Task<void> {
    std::vector<Task<void>> tasks;
    for (const char name : {'a', 'b', 'c', 'd'}) tasks.push_back(enter(&log, name));
    co_await join_all(std::move(tasks));
  });
  EXPECT_EQ(log.text, "aabbccdd");
}

TEST(AsyncMutexTest, ACancelledWaiterIsSkipped) {
  Log log;
  run_until_done([&]() -> Task<void> {
    auto held = std::make_unique<AsyncMutex::Guard>(co_await log.mutex.lock());
    const bool in_time = co_await finish_within(enter(&log, 'x'), 10);
    EXPECT_FALSE(in_time);
    held.reset();
    co_await enter(&log, 'y');
  });
  EXPECT_EQ(log.text, "yy");
}

}  // namespace
}  // namespace hitless
