#include "adapters/traffic/resolve.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>

namespace hitless::traffic {
namespace asio = boost::asio;
namespace {

// Name look-ups run on a thread of Asio's that cannot be interrupted. The exchange does not wait
// for it past its deadline: what the look-up writes to is shared.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor) {}
  asio::ip::tcp::resolver resolver;
  Signal done;
  boost::system::error_code code;
  asio::ip::tcp::resolver::results_type results;
};

}  // namespace

Task<Result<StreamEndpoint>> resolve(SocketAddress address, DurationMs deadline_ms) {
  boost::system::error_code not_numeric;
  const auto ip = asio::ip::make_address(address.host, not_numeric);
  if (!not_numeric) co_return StreamEndpoint(asio::ip::tcp::endpoint(ip, address.port));
  auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->resolver.async_resolve(
      address.host, std::to_string(address.port),
      [lookup](boost::system::error_code code, asio::ip::tcp::resolver::results_type results) {
        lookup->code = code;
        lookup->results = std::move(results);
        lookup->done.notify();
      });
  if (!co_await lookup->done.wait_for(deadline_ms)) {
    co_return fail(ErrorCode::unavailable, "the name was not resolved in time", to_string(address));
  }
  if (lookup->code || lookup->results.empty()) {
    co_return fail(ErrorCode::unavailable, "cannot resolve the name: " + lookup->code.message(),
                   to_string(address));
  }
  co_return StreamEndpoint(lookup->results.begin()->endpoint());
}

}  // namespace hitless::traffic
