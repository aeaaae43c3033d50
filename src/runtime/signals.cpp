#include "runtime/signals.hpp"

#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <csignal>

namespace hitless {

struct SignalCatcher::Impl : std::enable_shared_from_this<SignalCatcher::Impl> {
  Impl(const boost::asio::any_io_executor& executor, std::function<void(int)> f)
      : signals(executor, SIGINT, SIGTERM, SIGHUP), on_signal(std::move(f)) {}

  void wait() {
    signals.async_wait(
        [self = shared_from_this()](const boost::system::error_code& ec, int number) {
          if (ec) return;
          self->on_signal(number);
          self->wait();
        });
  }

  boost::asio::signal_set signals;
  std::function<void(int)> on_signal;
};

Task<std::unique_ptr<SignalCatcher>> SignalCatcher::start(std::function<void(int)> on_signal) {
  const auto executor = co_await boost::asio::this_coro::executor;
  std::unique_ptr<SignalCatcher> catcher(new SignalCatcher);
  catcher->impl_ = std::make_shared<Impl>(executor, std::move(on_signal));
  catcher->impl_->wait();
  co_return catcher;
}

SignalCatcher::~SignalCatcher() {
  if (!impl_) return;
  impl_->on_signal = [](int) {};
  boost::system::error_code ignored;
  impl_->signals.cancel(ignored);
}

}  // namespace hitless
