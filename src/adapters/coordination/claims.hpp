// Leases and fences as small files on the instances' own hosts.
//
// A claim is a file in /run/hitless/claims there (root or sudo; for others a private folder in
// /tmp): who holds the service, under which epoch, until when by that host's own clock. A fixed
// script reads and writes it under a lock, so compare and change are one step, and operations are
// started under the same lock (Host::run_operation): whoever was taken over starts nothing more.
// What is claimed is service name and port on that machine, whatever the fleet file, state folder
// or controller: see docs/adr/0013.
//
// After a crash of ours a claim ends by itself. After a reboot of a host it is gone; renew() puts
// it back, and acquire() starts above what the journal knows.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/coordination.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"

namespace hitless::coordination {

struct ClaimedInstance {
  core::InstanceId instance;
  ports::Host* host = nullptr;
  int port = 0;              // 0: it has none, or it is not known; then it collides with every port
  std::string service = {};  // empty: ClaimsConfig::service
};

struct ClaimsConfig {
  std::string service;
  std::vector<ClaimedInstance> instances;
  DurationMs ttl_ms = 30'000;
  // The caller holds the file lock of this service in its home (Claimant::home), so an earlier
  // holder from the same home is dead, and its claim is taken over at once.
  bool home_is_locked = false;
  // A host may be down for longer than the ttl by our own doing, and has forgotten its claims then:
  // renew() takes them anew whenever it is back. Whoever took one meanwhile is refused or refuses
  // us, by epoch, as ever.
  bool outlives_reboot = false;
};

// A configuration that is not proper (names, ports, ttl) makes an object whose acquire() says so.
[[nodiscard]] std::unique_ptr<ports::Coordination> make_host_claims(ClaimsConfig config);

// What it runs as root on the hosts; the same for every service.
[[nodiscard]] ports::PrivilegedCommands privileged_commands();

}  // namespace hitless::coordination
