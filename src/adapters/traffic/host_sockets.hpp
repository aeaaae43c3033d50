// In-flight work where the load balancer cannot count it: the established connections on the
// instance's own port. It includes idle kept-alive connections and the load balancers' own health
// checks, so it is never too low. Keeps nothing.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::traffic {

struct InstanceSockets {
  core::InstanceId instance;
  ports::Host* host = nullptr;
  int port = 0;  // 0: it cannot be counted
};

// Fills in_flight of the reports that lack it; why it could not goes into the note.
Task<void> count_host_sockets(std::vector<InstanceSockets> all,
                              std::vector<core::TargetReport>* reports);

// A remark for the plan: how in-flight work is counted.
inline constexpr const char* kHostSocketsRemark =
    "it does not count requests in flight: the sockets on the instance's port are counted, idle "
    "kept-alive connections too";

}  // namespace hitless::traffic
