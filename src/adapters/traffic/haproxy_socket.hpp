// One exchange with an HAProxy runtime socket: connect, send one line of commands, read to the end.
//
// HAProxy answers each command with text that ends in an empty line and then closes. Nothing here
// knows what the text means. Every exchange has one deadline for all of it and a cap on what is
// read. When it fails after connecting, whether the commands were carried out is unknown.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace hitless::traffic {

struct SocketAddress {
  bool is_unix = true;
  std::string path;  // unix
  std::string host;  // tcp
  std::uint16_t port = 0;
};

// "unix:/run/haproxy/admin.sock", "tcp:10.0.0.5:9999", "tcp:[::1]:9999".
[[nodiscard]] Result<SocketAddress> parse_socket_address(std::string_view text);
[[nodiscard]] std::string to_string(const SocketAddress& address);

struct ExchangeLimits {
  DurationMs deadline_ms = 2000;
  std::size_t max_reply_bytes = 4u << 20;  // 50 servers make about 20 KB
};

// Commands are joined by ';'. A command with ';', a line break or NUL is refused: it would be two.
// The reply is returned whole; a reply that was cut (by the cap) is an error, never a short
// success.
Task<Result<std::string>> exchange(SocketAddress address, std::vector<std::string> commands,
                                   ExchangeLimits limits);

// Cuts a reply into one part for each command; fails unless there are exactly `count`, all
// complete. A part has no closing empty line; the part of a successful `set server` is empty.
[[nodiscard]] Result<std::vector<std::string>> split_reply(std::string_view reply,
                                                           std::size_t count);

}  // namespace hitless::traffic
