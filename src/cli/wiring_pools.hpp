// From a service's pools to traffic drivers: one factory per kind of load balancer. Also what the
// watchdog can put back by itself, and what driver needs which commands as root.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/watchdog/watchdog.hpp"
#include "base/error.hpp"
#include "engine/parts.hpp"
#include "fleet/fleet.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless::cli {

// The driver of a host of the fleet; "" is this machine.
using HostOf = std::function<Result<ports::Host*>(const std::string& name)>;

struct PoolMember {
  const fleet::Instance* instance = nullptr;
  const fleet::Target* target = nullptr;  // one of the instance's
  ports::Host* host = nullptr;            // where the instance is
};

// One pool of one load balancer with the instances of one service that are in it.
struct PoolWiring {
  const fleet::Service* service = nullptr;
  const fleet::LoadBalancer* lb = nullptr;
  std::string pool;
  std::vector<PoolMember> members;
  HostOf host;
};

[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> wire_pool(const PoolWiring& pool);

[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_elbv2_pool(const PoolWiring& from);
[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_envoy_pool(const PoolWiring& from);
[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_nginx_plus_pool(const PoolWiring& from);
[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_traefik_pool(const PoolWiring& from);
[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_consul_pool(const PoolWiring& from);
[[nodiscard]] Result<std::unique_ptr<ports::Traffic>> make_ipvs_pool(const PoolWiring& from);

// Every pool of the service, in the order of load balancers and pools.
[[nodiscard]] Result<std::vector<std::unique_ptr<ports::Traffic>>> wire_pools(
    const fleet::Fleet& fleet, const fleet::Service& service, const engine::ServiceParts& parts,
    const HostOf& host);

// Adds what a timer on a host can put back; where the kind is not covered, a word for the plan.
[[nodiscard]] Status add_watched(const fleet::LoadBalancer& lb, const fleet::Target& target,
                                 const HostOf& host, watchdog::WatchedInstance& watched);

// What the driver runs as root on the load balancer's nodes, and on the host of an instance.
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const fleet::LoadBalancer& lb);
[[nodiscard]] ports::PrivilegedCommands privileged_commands(const fleet::Fleet& fleet,
                                                            const fleet::Target& target);

}  // namespace hitless::cli
