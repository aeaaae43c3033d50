#include "adapters/traffic/haproxy_socket.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>

#include "adapters/traffic/resolve.hpp"
#include "base/names.hpp"
#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless::traffic {
namespace asio = boost::asio;
namespace {

using Socket = asio::generic::stream_protocol::socket;
using Endpoint = StreamEndpoint;

constexpr std::size_t max_unix_path = 107;      // sockaddr_un
constexpr std::size_t max_line_bytes = 15'000;  // HAProxy's own limit is tune.bufsize, 16 KB
constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

Result<SocketAddress> parse_tcp(std::string_view rest, std::string_view whole) {
  const std::string shown = escape_for_terminal(truncate_utf8(whole, 120));
  const std::string help = "write tcp:HOST:PORT or unix:/PATH";
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::invalid, "no port in `" + shown + "`", {}, help);
  }
  std::string_view host = rest.substr(0, colon);
  const std::string_view port = rest.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  SocketAddress address;
  address.is_unix = false;
  address.host = std::string(host);
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (ec != std::errc{} || end != port.data() + port.size() || address.port == 0) {
    return fail(ErrorCode::invalid, "bad port in `" + shown + "`", {}, help);
  }
  if (auto ok = check_host_address(address.host); !ok) return tl::unexpected(ok.error());
  return address;
}

std::string connect_help(const boost::system::error_code& code) {
  if (code == asio::error::access_denied) return "run as a user who may open the socket";
  if (code == boost::system::errc::no_such_file_or_directory) {
    return "is HAProxy running, and `stats socket` set to this path?";
  }
  return "is HAProxy running with a `stats socket` there?";
}

Task<Result<std::string>> talk(SocketAddress address, std::string line, ExchangeLimits limits) {
  const std::string where = to_string(address);
  Endpoint endpoint;
  if (address.is_unix) {
    endpoint = Endpoint(asio::local::stream_protocol::endpoint(address.path));
  } else {
    auto found = co_await resolve(address, limits.deadline_ms);
    if (!found) co_return tl::unexpected(found.error());
    endpoint = *found;
  }
  Socket socket(co_await asio::this_coro::executor);
  const auto [refused] = co_await socket.async_connect(endpoint, as_result);
  if (refused) {
    co_return fail(ErrorCode::unavailable, "cannot connect: " + refused.message(), where,
                   connect_help(refused));
  }
  const auto [broken, sent] = co_await asio::async_write(socket, asio::buffer(line), as_result);
  if (broken) {
    co_return fail(ErrorCode::transport_lost, "sending broke off: " + broken.message(), where);
  }
  // A worker closes after the commands, but the master keeps waiting for more until it sees our
  // end.
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_send, ignored);
  std::string reply;
  std::array<char, 16384> chunk;
  for (;;) {
    const auto [code, count] = co_await socket.async_read_some(asio::buffer(chunk), as_result);
    reply.append(chunk.data(), count);
    if (reply.size() > limits.max_reply_bytes) {
      co_return fail(
          ErrorCode::failed,
          "the reply is longer than " + std::to_string(limits.max_reply_bytes) + " bytes", where);
    }
    if (code == asio::error::eof) break;
    if (code) {
      co_return fail(ErrorCode::transport_lost, "the reply broke off: " + code.message(), where);
    }
  }
  co_return reply;
}

}  // namespace

Result<SocketAddress> parse_socket_address(std::string_view text) {
  constexpr std::string_view unix_prefix = "unix:", tcp_prefix = "tcp:";
  if (text.starts_with(tcp_prefix)) return parse_tcp(text.substr(tcp_prefix.size()), text);
  const std::string shown = escape_for_terminal(truncate_utf8(text, 120));
  if (!text.starts_with(unix_prefix)) {
    return fail(ErrorCode::invalid, "`" + shown + "` is not a socket address", {},
                "write unix:/PATH or tcp:HOST:PORT");
  }
  const std::string_view path = text.substr(unix_prefix.size());
  if (auto ok = check_absolute_path(path); !ok) return tl::unexpected(ok.error());
  if (path.size() > max_unix_path) {
    return fail(ErrorCode::invalid, "the path of socket `" + shown + "` is longer than 107 bytes");
  }
  SocketAddress address;
  address.path = std::string(path);
  return address;
}

std::string to_string(const SocketAddress& address) {
  if (address.is_unix) return address.path;
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

Task<Result<std::string>> exchange(SocketAddress address, std::vector<std::string> commands,
                                   ExchangeLimits limits) {
  constexpr std::string_view separators("\n\r;\0", 4);
  std::string line;
  for (const std::string& command : commands) {
    if (command.empty() || command.find_first_of(separators) != std::string::npos) {
      co_return fail(ErrorCode::internal, "refused to send a command with a separator in it");
    }
    line += (line.empty() ? "" : ";") + command;
  }
  line += '\n';
  if (line.size() > max_line_bytes) co_return fail(ErrorCode::internal, "command line too long");
  const std::string where = to_string(address);
  auto reply = co_await with_timeout<std::string>(talk(std::move(address), std::move(line), limits),
                                                  limits.deadline_ms, "the exchange");
  if (!reply && reply.error().where.empty()) reply.error().where = where;
  co_return reply;
}

Result<std::vector<std::string>> split_reply(std::string_view reply, std::size_t count) {
  std::vector<std::string> parts;
  std::size_t begin = 0, line = 0;
  for (std::size_t i = 0; i < reply.size(); ++i) {
    if (reply[i] != '\n') continue;
    if (i == line) {
      parts.emplace_back(reply.substr(begin, i - begin));
      begin = i + 1;
    }
    line = i + 1;
  }
  const std::string_view rest = reply.substr(begin);
  if (parts.size() == count && rest.empty()) return parts;
  const std::string_view first = trim(reply.substr(0, reply.find('\n')));
  return fail(ErrorCode::failed,
              first.empty() ? "an incomplete reply"
                            : "an incomplete reply that begins with `" +
                                  escape_for_terminal(truncate_utf8(redact(first), 120)) + "`");
}

}  // namespace hitless::traffic
