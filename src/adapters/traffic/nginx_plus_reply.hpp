// What the REST API of NGINX Plus says of an upstream and of nginx itself. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

struct NginxPeer {
  std::int64_t id = 0;
  std::string state;  // up, draining, down, unavail, checking, unhealthy
  std::optional<std::int64_t> active, requests, responses_5xx, fails;
  bool checked = false;  // by health_check
};
using NginxPeers = std::map<std::string, NginxPeer>;  // by "10.0.0.11:80"
// GET http/upstreams/NAME. A server that is listed twice is an error.
[[nodiscard]] Result<NginxPeers> parse_nginx_peers(std::string_view text);

struct NginxPlusInfo {
  std::int64_t generation = 0, master = 0;
  std::int64_t since_load_s = 0;  // by its own clock
};
// GET nginx
[[nodiscard]] Result<NginxPlusInfo> parse_nginx_info(std::string_view text);
// "2026-01-31T12:00:00.123Z" in seconds since the epoch
[[nodiscard]] std::optional<std::int64_t> parse_nginx_time(std::string_view text);
// "UpstreamStatic: upstream \"web\" is static" of an error's body
[[nodiscard]] std::string nginx_error(std::string_view body);

}  // namespace hitless::traffic
