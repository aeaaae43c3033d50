// Traffic driver for Envoy as the load balancer: one cluster whose endpoints come from a file (file
// EDS), on one or several nodes. The file is edited, the admin API says what became of it.
//
// - Out of rotation is `health_status: DRAINING` in the file, with a mark in the endpoint's
// metadata
//   of whose hand it was. The file is replaced by a rename, because Envoy does not see an edit in
//   place; and only a drain that /clusters shows is told as one.
// - In flight is the endpoint's rq_active. After a hot restart the process of before goes on with
//   what it has and is not asked any more: until its parent_shutdown_time is over, the instance's
//   own sockets are counted.
// - With too few healthy endpoints Envoy panics: it sends to all, the draining ones as well. A
// drain
//   that would get there is refused, and while it is so a drained endpoint is unknown.
// - A drain is in the file, so it outlives Envoy. Its counters do not.
//
// After a crash all of it is in the file and in Envoy.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct EnvoyNode {
  std::string name;
  ports::Host* host = nullptr;
  std::string url;  // of the admin API, as seen from that host
};

struct EnvoyMember {
  core::InstanceId instance;
  std::string endpoint;  // "10.0.0.11:80", an address as it stands in the file
};

struct EnvoyPool {
  std::string lb, cluster;
  std::string file;  // JSON, absolute, the same on every node
  int panic_percent = 50;
  std::vector<EnvoyNode> nodes;
  std::vector<EnvoyMember> members;
  std::vector<traffic::InstanceSockets> sockets;
  DurationMs timeout_ms = 2'000;  // of one call
  DurationMs taken_ms = 5'000;    // Envoy sees a rename at once
};

[[nodiscard]] Status check_envoy(const EnvoyPool& pool);
// A pool that check_envoy refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_envoy(EnvoyPool pool);
[[nodiscard]] ports::PrivilegedCommands envoy_commands(const std::string& file);

}  // namespace hitless
