// What curl brings from Caddy's admin API, and the list of upstreams in it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

struct CaddyReply {
  int status = 0;
  std::string etag, body;
};
// head: what `curl -D` writes, all status and header lines and the trailers: Caddy 2.6 sends its
// ETag behind the body.
[[nodiscard]] Result<CaddyReply> parse_caddy_reply(std::string_view head, std::string_view body);

struct CaddyUpstreams {
  std::vector<std::string> dials;
  std::vector<std::string> with_settings;  // dials of those that have more than a dial
  std::string json;                        // the list itself
};
[[nodiscard]] Result<CaddyUpstreams> parse_caddy_upstreams(std::string_view json);
// The list without, and with, one dial.
[[nodiscard]] std::string without_dial(const CaddyUpstreams& list, const std::string& dial);
[[nodiscard]] std::string with_dial(const CaddyUpstreams& list, const std::string& dial);

}  // namespace hitless::traffic
