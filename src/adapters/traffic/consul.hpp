// Traffic driver for Consul: the instance's registration on its own host's agent, in maintenance
// mode while it is out.
//
// - Maintenance is a check that is critical, with a reason: the reason says whose hand it was. All
//   that look the service up by its passing instances (DNS, Envoy, Traefik, fabio, templates) leave
//   it out then, as late as they look: settle_ms, which the user gives.
// - Told as out only when the catalogue no longer gives it as passing, and not when the agent alone
//   says so. Its other checks gate a rejoin.
// - Consul carries no traffic: the instance's sockets are counted.
// - Maintenance outlives a restart of the agent; the end of it is ours to say.
//
// After a crash all of it is in Consul.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct ConsulMember {
  core::InstanceId instance;
  ports::Host* host = nullptr;  // its agent is asked from there
  std::string service_id;       // as that agent has it registered
  int port = 0;                 // of the instance, for its sockets
};

struct ConsulPool {
  std::string lb, service;
  std::string url;  // of the agent, as seen from each instance's host
  std::vector<ConsulMember> members;
  std::function<Result<std::string>()> token;  // asked for at each call; empty: none
  DurationMs settle_ms = 0;
  DurationMs timeout_ms = 2'000;  // of one call
  DurationMs spread_ms = 10'000;  // the agent tells the servers at once, or tries again
};

[[nodiscard]] Status check_consul(const ConsulPool& pool);
// A pool that check_consul refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_consul(ConsulPool pool);

}  // namespace hitless
