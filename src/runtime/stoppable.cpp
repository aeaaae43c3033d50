#include "runtime/stoppable.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

namespace hitless {
namespace {

namespace asio = boost::asio;

constexpr DurationMs kForEver = 1000LL * 3600 * 24;

struct Shared {
  asio::cancellation_signal cancel;
  std::shared_ptr<Signal> wake;
  bool done = false;
  std::exception_ptr error;
};

bool is_cancelled(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

Task<bool> finish_unless_stopped(Task<void> task, std::shared_ptr<Signal> stop,
                                 DurationMs limit_ms) {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  auto shared = std::make_shared<Shared>();
  shared->wake = std::move(stop);
  asio::co_spawn(
      co_await asio::this_coro::executor, std::move(task),
      asio::bind_cancellation_slot(shared->cancel.slot(), [shared](std::exception_ptr error) {
        shared->done = true;
        shared->error = std::move(error);
        shared->wake->notify();
      }));
  bool stopped = false, cancelled = false;
  while (!shared->done) {
    try {
      (void)co_await shared->wake->wait_for(stopped ? kForEver : limit_ms);
    } catch (const boost::system::system_error&) {
      cancelled = true;
    }
    if (shared->done) break;
    stopped = true;
    shared->cancel.emit(asio::cancellation_type::terminal);
  }
  co_await asio::this_coro::throw_if_cancelled(throwing);
  if (shared->error && !(stopped && is_cancelled(shared->error)))
    std::rethrow_exception(shared->error);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted, "cancelled");
  co_return !stopped;
}

}  // namespace hitless
