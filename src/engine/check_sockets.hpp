// The load balancers' own health checks among the connections to a drained instance. A slow
// instance has one open nearly all the time, so that it would never count as drained.
//
// A connection is taken for a check only when a load balancer names the very port from which it
// comes as that of a check that is under way, and only one connection comes from that port.
// Whatever nobody names is work. It is asked only where the load balancers themselves count nothing
// in flight. What was named stays so for as long as the connection is there without a break; the
// last look before an act remembers nothing and asks again. Nothing is kept over a crash.
#pragma once
#include <set>

#include "engine/traffic_ops.hpp"

namespace hitless::engine {

// Of one instance, between looks.
struct CheckSockets {
  std::set<std::string> known;  // the far ends of connections that were named
  TimeMs asked_at = 0;          // steady clock
};

// Lowers reading->host_connections by the checks. Changes nothing when it cannot tell.
Task<void> leave_out_checks(const ServiceParts* parts, const InstanceParts* instance,
                            CheckSockets* memory, core::TargetReading* reading);

// Pure: those of the peers ("10.0.0.9:41450") that come from one of the ports, which no other does.
[[nodiscard]] std::set<std::string> from_ports(const std::vector<std::string>& peers,
                                               const std::set<int>& ports);

}  // namespace hitless::engine
