// What one HAProxy node can promise for one pool, found out before anything is touched: that
// backend and servers exist, that its socket may drain, that its checks gate a rejoin, who might
// get past a drain.
#pragma once
#include "adapters/traffic/haproxy_node.hpp"

namespace hitless::traffic {

// Adds to `out` what this node says. Fails when a rollout on it could not work.
Task<Status> add_capabilities(NodeLink* node, const HaproxyPool* pool,
                              ports::TrafficCapabilities* out);

}  // namespace hitless::traffic
