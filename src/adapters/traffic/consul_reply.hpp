// What Consul's agent and its catalogue say of one registration. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace hitless::traffic {

struct ConsulChecks {
  std::optional<std::string> maintenance;  // the reason, when it is in maintenance
  bool of_node = false;                    // the whole node is
  int others = 0, failing = 0;             // checks of its own and of its node
};
// GET /v1/agent/checks, of the agent that has the registration.
[[nodiscard]] Result<ConsulChecks> parse_consul_checks(std::string_view text,
                                                       const std::string& service_id);

struct ConsulOffer {
  bool passing = false;  // given to those who ask for passing instances
  bool known = false;
};
// GET /v1/health/service/NAME: all instances with their checks.
[[nodiscard]] Result<ConsulOffer> parse_consul_health(std::string_view text,
                                                      const std::string& service_id,
                                                      const std::string& node);
// GET /v1/agent/self: the agent's node name
[[nodiscard]] Result<std::string> parse_consul_node(std::string_view text);

}  // namespace hitless::traffic
