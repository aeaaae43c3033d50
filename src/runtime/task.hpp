// Coroutines: the shell's tasks run on one io_context with one thread, so no locks are needed.
//
// Rules: a coroutine takes values, not references, across co_await (a reference to a long-lived
// object such as a driver's `this` is fine while its owner awaits it); never await inside catch;
// every await of the outside world has a deadline.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace hitless {

template <class T>
using Task = boost::asio::awaitable<T>;

// Suspends for that long; the way to wait between polls.
Task<void> sleep_for(DurationMs duration_ms);

// Runs a task to its end on a fresh io_context, for main(), verbs and tests. Exceptions come out.
// Tasks that were detached and still run are dropped. SIGPIPE is ignored from here on.
void run_until_done(std::function<Task<void>()> start);

// Starts all tasks on the current executor and returns when each has ended. An exception of one is
// rethrown after all have ended. When the caller is cancelled, so are they, and they are waited
// for.
Task<void> join_all(std::vector<Task<void>> tasks);

// Runs the task at most so long; then it is cancelled and waited for. False: it was out of time.
// For tasks with a value see runtime/timeout.hpp.
Task<bool> finish_within(Task<void> task, DurationMs limit_ms);

// Starts a task that lives on its own on the current executor; exceptions in it end the program,
// because nobody else would see them.
Task<void> detach(Task<void> task);

// A one-thread wake-up: wait() returns after notify() was called since the last wait, or at the
// timeout.
class Signal {
 public:
  Signal();
  ~Signal();
  void notify();
  Task<bool> wait_for(DurationMs timeout_ms);  // true: notified, false: timed out
 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// At most one coroutine between lock() and the guard's end; first come, first served.
class AsyncMutex {
 public:
  class Guard {
   public:
    explicit Guard(AsyncMutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() {
      if (mutex_ != nullptr) mutex_->unlock();
    }

   private:
    AsyncMutex* mutex_;
  };
  Task<Guard> lock();

 private:
  void unlock();
  bool locked_ = false;
  std::vector<std::shared_ptr<Signal>> waiters_;
};

}  // namespace hitless
