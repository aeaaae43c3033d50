// What Traefik's API says of one service of its file provider. Pure.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::traffic {

struct TraefikService {
  std::map<std::string, std::string> servers;  // url → "UP", "DOWN", or "" where it is not told
  bool checked = false;                        // it has a healthCheck
};
// GET /api/http/services/NAME@file
[[nodiscard]] Result<TraefikService> parse_traefik_service(std::string_view text);

}  // namespace hitless::traffic
