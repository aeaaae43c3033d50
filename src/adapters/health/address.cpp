#include "adapters/health/address.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>

#include "base/names.hpp"
#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless::health {
namespace asio = boost::asio;
namespace {

using asio::ip::tcp;
constexpr std::size_t max_addresses = 4;

bool is_link_local_v4(const asio::ip::address_v4& address) {
  const auto bytes = address.to_bytes();
  return bytes[0] == 169 && bytes[1] == 254;
}

bool is_link_local_v6(const asio::ip::address_v6& address) {
  if (address.is_link_local()) return true;
  const auto bytes = address.to_bytes();
  const asio::ip::address_v4 tail({bytes[12], bytes[13], bytes[14], bytes[15]});
  if (address.is_v4_mapped()) return is_link_local_v4(tail);
  const bool nat64 = bytes[0] == 0x00 && bytes[1] == 0x64 && bytes[2] == 0xff && bytes[3] == 0x9b;
  if (nat64) return is_link_local_v4(tail);
  return bytes[0] == 0xfd && bytes[1] == 0x00 && bytes[2] == 0x0e && bytes[3] == 0xc2;
}

// Look-ups run on a thread of Asio's that cannot be interrupted; the probe does not wait for it
// past its deadline, so what it writes to is shared.
struct Lookup {
  explicit Lookup(const asio::any_io_executor& executor) : resolver(executor) {}
  tcp::resolver resolver;
  Signal done;
  boost::system::error_code code;
  tcp::resolver::results_type results;
};

Task<Result<std::vector<std::string>>> look_up(std::string host, DurationMs deadline_ms) {
  std::vector<std::string> addresses;
  boost::system::error_code not_numeric;
  const auto literal = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) {
    addresses.push_back(literal.to_string());
    co_return addresses;
  }
  auto lookup = std::make_shared<Lookup>(co_await asio::this_coro::executor);
  lookup->resolver.async_resolve(
      host, "", [lookup](boost::system::error_code code, tcp::resolver::results_type results) {
        lookup->code = code;
        lookup->results = std::move(results);
        lookup->done.notify();
      });
  const bool in_time = co_await lookup->done.wait_for(deadline_ms);
  if (!in_time || lookup->code) {
    co_return fail(ErrorCode::unavailable,
                   "cannot resolve " + escape_for_terminal(host) + ": " +
                       (in_time ? lookup->code.message() : "no answer in time"));
  }
  for (const auto& entry : lookup->results) {
    if (addresses.size() == max_addresses) break;
    addresses.push_back(entry.endpoint().address().to_string());
  }
  co_return addresses;
}

Task<Result<Connect>> connect(HostPort where) {
  Connect result;
  const auto started = std::chrono::steady_clock::now();
  const tcp::endpoint endpoint(asio::ip::make_address(where.host), where.port);
  tcp::socket socket(co_await asio::this_coro::executor);
  const auto [code] = co_await socket.async_connect(endpoint, asio::as_tuple(asio::use_awaitable));
  const auto took = std::chrono::steady_clock::now() - started;
  result.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  result.message = code.message();
  namespace e = boost::system::errc;
  if (!code) {
    result.outcome = ConnectOutcome::connected;
  } else if (code == e::timed_out) {
    result.outcome = ConnectOutcome::timed_out;
  } else if (code == e::connection_refused || code == e::connection_reset ||
             code == e::host_unreachable || code == e::network_unreachable) {
    result.outcome = ConnectOutcome::refused;
  }
  co_return result;
}

}  // namespace

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  HostPort out;
  bool good = colon != std::string_view::npos;
  if (good) {
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    out.host = std::string(host);
    const std::string_view port = text.substr(colon + 1);
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    good = ec == std::errc{} && end == port.data() + port.size() && out.port != 0 &&
           (bracketed || host.find(':') == std::string_view::npos);
  }
  if (!good) {
    return fail(ErrorCode::invalid,
                "`" + escape_for_terminal(truncate_utf8(text, 80)) + "` is not host:port");
  }
  if (auto ok = check_host_address(out.host); !ok) return tl::unexpected(ok.error());
  return out;
}

std::string to_string(const HostPort& where) {
  const bool v6 = where.host.find(':') != std::string::npos;
  return (v6 ? "[" + where.host + "]" : where.host) + ":" + std::to_string(where.port);
}

bool is_link_local(std::string_view numeric_address) {
  boost::system::error_code code;
  const auto address = asio::ip::make_address(std::string(numeric_address), code);
  if (code) return false;
  return address.is_v4() ? is_link_local_v4(address.to_v4()) : is_link_local_v6(address.to_v6());
}

Task<Result<std::vector<std::string>>> resolve(std::string host, bool allow_link_local,
                                               DurationMs deadline_ms) {
  auto addresses = co_await look_up(host, deadline_ms);
  if (!addresses) co_return tl::unexpected(addresses.error());
  if (addresses->empty()) {
    co_return fail(ErrorCode::unavailable, escape_for_terminal(host) + " has no address");
  }
  for (const std::string& address : *addresses) {
    if (allow_link_local || !is_link_local(address)) continue;
    co_return fail(ErrorCode::refused,
                   escape_for_terminal(host) + " is link-local (" + address + "): not probed");
  }
  co_return addresses;
}

Task<Connect> try_connect(HostPort numeric, DurationMs deadline_ms) {
  auto result = co_await with_timeout(connect(std::move(numeric)), deadline_ms, "the connection");
  if (result) co_return *result;
  Connect late;
  late.outcome = ConnectOutcome::timed_out;
  late.message = "no answer within " + format_duration(deadline_ms);
  co_return late;
}

}  // namespace hitless::health
