// A whole host as one service: all services of the fleet that live there, taken out, worked on and
// proven together. What `reboot` and `patch` work on.
//
// A reboot happens only while the boot id is still the one that was seen, and only while our claim
// on every service there holds: asked for twice, by whomever, it happens once. It is proven by
// another boot id, and by every service of the host being up again, none of them restarting by
// itself. A lost connection is no outcome: whoever asks later reads the boot id.
// After an upgrade only those units are restarted that run what is gone, or are older than their
// package; the proof is that none is left that does.
// After a crash the host's boot id tells what became of it; nothing is kept here.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/host.hpp"
#include "ports/packages.hpp"
#include "ports/privileged.hpp"
#include "ports/service.hpp"

namespace hitless::service {

struct HostMember {
  std::string service;  // "web"
  int port = 0;
  std::string unit;  // empty: not under systemd, so nobody knows whether it starts at boot
  ports::Service* driver = nullptr;
};

struct WholeHostConfig {
  std::vector<HostMember> members;  // the rollout's own service first, if it lives here
  bool for_reboot = true;           // else for packages
  // Why it must not be rebooted, empty: it may. "the load balancer node lb-1 runs there"
  std::string never;
  ports::Packages* packages = nullptr;  // what `patch` asks which units are stale
};

// The host and the members' drivers must outlive it.
[[nodiscard]] std::unique_ptr<ports::Service> make_whole_host(ports::Host& host,
                                                              WholeHostConfig config);

// What became of the order to reboot. failed only when it is known not to have been given: what
// was ended by the shutdown itself, or did not answer, may be on its way.
[[nodiscard]] core::Outcome outcome_of_reboot(const Result<ports::ExecResult>& ran);

// What it runs as root there, beside what the members' drivers run; the same for every host.
[[nodiscard]] ports::PrivilegedCommands privileged_commands_of_host();

}  // namespace hitless::service
