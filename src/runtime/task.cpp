#include "runtime/task.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>

namespace hitless {
namespace asio = boost::asio;
namespace {

using TimePoint = std::chrono::steady_clock::time_point;

constexpr DurationMs max_wait_ms = 1000LL * 3600 * 24 * 365;  // what a caller means by "for ever"

TimePoint from_now(DurationMs duration_ms) {
  return std::chrono::steady_clock::now() +
         std::chrono::milliseconds(std::clamp<DurationMs>(duration_ms, 0, max_wait_ms));
}

[[noreturn]] void throw_cancelled() {
  throw boost::system::system_error(asio::error::operation_aborted, "cancelled");
}

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

// Tasks that run side by side under one owner. Shared, because each task's completion points here.
struct Group {
  explicit Group(const asio::any_io_executor& executor) : wake(executor) {}
  asio::steady_timer wake;
  std::vector<std::unique_ptr<asio::cancellation_signal>> stops;
  std::size_t running = 0;
  std::exception_ptr error;

  void ended(std::exception_ptr e) {
    // A real failure says more than the cancellations that may have followed from it.
    if (e && (!error || (is_cancelled(error) && !is_cancelled(e)))) error = e;
    --running;
    if (running == 0) wake.cancel();
  }
  void stop_all() {
    for (const auto& stop : stops) stop->emit(asio::cancellation_type::terminal);
  }
};

void start(const std::shared_ptr<Group>& group, Task<void> task) {
  auto& stop = *group->stops.emplace_back(std::make_unique<asio::cancellation_signal>());
  ++group->running;
  asio::co_spawn(group->wake.get_executor(), std::move(task),
                 asio::bind_cancellation_slot(
                     stop.slot(), [group](std::exception_ptr e) { group->ended(std::move(e)); }));
}

// Starts all and waits until each has ended, whatever happens; true when the deadline passed
// before. Nothing between the first start and the last end may throw, or a task would outlive its
// caller.
Task<bool> run_group(std::vector<Task<void>> tasks, TimePoint deadline) {
  bool out_of_time = false;
  bool cancelled = false;
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  auto group = std::make_shared<Group>(co_await asio::this_coro::executor);
  for (auto& task : tasks) start(group, std::move(task));
  group->wake.expires_at(deadline);
  while (group->running > 0) {
    const auto [code] = co_await group->wake.async_wait(asio::as_tuple(asio::use_awaitable));
    if (group->running == 0) break;
    (code ? cancelled : out_of_time) = true;
    group->wake.expires_at(TimePoint::max());
    group->stop_all();
  }
  co_await asio::this_coro::throw_if_cancelled(throwing);
  if (group->error && !((out_of_time || cancelled) && is_cancelled(group->error))) {
    std::rethrow_exception(group->error);
  }
  if (cancelled) throw_cancelled();
  co_return out_of_time;
}

}  // namespace

Task<void> sleep_for(DurationMs duration_ms) {
  asio::steady_timer timer(co_await asio::this_coro::executor, from_now(duration_ms));
  co_await timer.async_wait(asio::use_awaitable);
}

void run_until_done(std::function<Task<void>()> start_task) {
  // A peer that is gone is an error code of the write, never the end of this program.
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context context(1);
  std::exception_ptr error;
  asio::co_spawn(context, start_task(), [&](std::exception_ptr e) {
    error = std::move(e);
    context.stop();
  });
  context.run();
  if (error) std::rethrow_exception(error);
}

Task<void> join_all(std::vector<Task<void>> tasks) {
  co_await run_group(std::move(tasks), TimePoint::max());
}

Task<bool> finish_within(Task<void> task, DurationMs limit_ms) {
  std::vector<Task<void>> tasks;
  tasks.push_back(std::move(task));
  const bool out_of_time = co_await run_group(std::move(tasks), from_now(limit_ms));
  co_return !out_of_time;
}

Task<void> detach(Task<void> task) {
  auto executor = co_await asio::this_coro::executor;
  asio::co_spawn(executor, std::move(task), [](std::exception_ptr e) {
    if (!e) return;
    std::fputs("hitless: a background task failed with an exception\n", stderr);
    std::rethrow_exception(e);  // out of io_context::run(): ends the program with the message
  });
}

struct Signal::Impl {
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool notified = false;
  };
  bool set = false;
  std::vector<Waiter*> waiters;

  struct Registration {
    std::shared_ptr<Impl> impl;
    Waiter* waiter;
    Registration(std::shared_ptr<Impl> i, Waiter* w) : impl(std::move(i)), waiter(w) {
      impl->waiters.push_back(w);
    }
    Registration(const Registration&) = delete;
    Registration& operator=(const Registration&) = delete;
    ~Registration() { std::erase(impl->waiters, waiter); }
  };
};

Signal::Signal() : impl_(std::make_shared<Impl>()) {}
Signal::~Signal() = default;

void Signal::notify() {
  if (impl_->waiters.empty()) impl_->set = true;
  for (auto* waiter : impl_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
}

Task<bool> Signal::wait_for(DurationMs timeout_ms) {
  auto impl = impl_;  // the signal itself may be gone by the time we wake up
  if (std::exchange(impl->set, false)) co_return true;
  Impl::Waiter waiter(co_await asio::this_coro::executor);
  waiter.timer.expires_at(from_now(timeout_ms));
  Impl::Registration registration(impl, &waiter);
  const auto [code] = co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter.notified) co_return true;
  if (code) throw_cancelled();
  co_return false;
}

Task<AsyncMutex::Guard> AsyncMutex::lock() {
  if (!locked_) {
    locked_ = true;
    co_return Guard(this);
  }
  auto turn = std::make_shared<Signal>();
  waiters_.push_back(turn);
  std::exception_ptr cancelled;
  try {
    // Bounded by the deadlines of those before us.
    bool ours = false;
    while (!ours) ours = co_await turn->wait_for(max_wait_ms);
  } catch (...) {
    cancelled = std::current_exception();
  }
  if (cancelled) {
    std::erase(waiters_, turn);
    std::rethrow_exception(cancelled);
  }
  co_return Guard(this);
}

void AsyncMutex::unlock() {
  if (waiters_.empty()) {
    locked_ = false;
    return;
  }
  auto next = waiters_.front();
  waiters_.erase(waiters_.begin());
  next->notify();  // stays locked: it is handed over
}

}  // namespace hitless
