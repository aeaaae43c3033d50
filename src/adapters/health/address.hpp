// Where a probe may connect to: names resolved once, addresses checked, connections made to exactly
// those. Private to the health drivers.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "runtime/task.hpp"

namespace hitless::health {

struct HostPort {
  std::string host;  // without brackets
  std::uint16_t port = 0;
};
[[nodiscard]] Result<HostPort> parse_host_port(std::string_view text);
// "10.0.0.1:80", "[::1]:80"
[[nodiscard]] std::string to_string(const HostPort& where);

// 169.254/16, fe80::/10, their v6-mapped and NAT64 forms, and metadata addresses in fd00:ec2::/32.
[[nodiscard]] bool is_link_local(std::string_view numeric_address);

// Numeric addresses of the host, at most four. Refused when one of them is link-local and that is
// not allowed; unavailable when the name does not resolve.
Task<Result<std::vector<std::string>>> resolve(std::string host, bool allow_link_local,
                                               DurationMs deadline_ms);

enum class ConnectOutcome {
  connected,
  refused,  // refused, reset, unreachable: the other side's doing
  timed_out,
  local_error,  // ours: no descriptors, no such address family
};
struct Connect {
  ConnectOutcome outcome = ConnectOutcome::local_error;
  std::string message;
  std::int64_t latency_us = 0;
};
// Connects to a numeric address and closes at once.
Task<Connect> try_connect(HostPort numeric, DurationMs deadline_ms);

}  // namespace hitless::health
