// A pool seen by host: a target of service `web` on web01 is reported as one of the host, and told
// through the host's name. For rollouts over whole hosts; a host without a target in the pool is
// none of its business.
// Nothing is kept; what the pool's own driver promises holds here too.
#pragma once
#include <map>
#include <memory>

#include "ports/traffic.hpp"

namespace hitless {

// host → the pool's own target there. `pool` must outlive it.
using HostTargets = std::map<core::InstanceId, core::InstanceId>;
[[nodiscard]] std::unique_ptr<ports::Traffic> make_host_pool(ports::Traffic& pool,
                                                             HostTargets targets);

}  // namespace hitless
