// Load balancer work over all pools and nodes of a service at once.
#pragma once
#include <map>

#include "core/types.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct FullReading {
  std::map<core::InstanceId, core::TargetReading> merged;
  std::vector<core::TargetReport> reports;  // one per pool × node × instance, by instance
};

// Everything the load balancers say now; what could not be read within the deadline is unknown.
Task<FullReading> read_traffic(const ServiceParts* parts);
// Established sockets on the instance's host, of all its ports.
Task<Result<std::int64_t>> count_sockets(const InstanceParts* instance);

Task<Status> drain_everywhere(const ServiceParts* parts, core::InstanceId id);
Task<Status> rejoin_everywhere(const ServiceParts* parts, core::InstanceId id);
Task<Status> close_remaining_everywhere(const ServiceParts* parts, core::InstanceId id);

}  // namespace hitless::engine
