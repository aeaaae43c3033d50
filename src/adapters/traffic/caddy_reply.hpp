// The list of upstreams as Caddy's admin API has it.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace hitless::traffic {

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
