// Waits until a descriptor can really be read (or has ended).
//
// The reactor may wake a waiter without cause when descriptors are closed and opened again under
// the same number in one round of events. Whoever takes the wake-up itself for the news (a child
// has ended, a write is durable) would act on something that did not happen; so poll() is asked.
#pragma once
#include <poll.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "runtime/task.hpp"

namespace hitless {

// The error is operation_aborted when the descriptor was cancelled or closed meanwhile.
inline Task<boost::system::error_code> wait_readable(boost::asio::posix::stream_descriptor* from) {
  namespace asio = boost::asio;
  while (from->is_open()) {
    const auto [code] = co_await from->async_wait(asio::posix::descriptor_base::wait_read,
                                                  asio::as_tuple(asio::use_awaitable));
    if (code) co_return code;
    pollfd ready{from->native_handle(), POLLIN, 0};
    if (::poll(&ready, 1, 0) != 0) co_return boost::system::error_code{};
  }
  co_return asio::error::operation_aborted;
}

}  // namespace hitless
