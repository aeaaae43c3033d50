// The timers that outlive us: see ports/watchdog.hpp for what they do, docs/watchdog.md for users.
//
// For each instance there is one timer on each host from which a load balancer node of its pools is
// reached, and one on its own host. Where systemd runs and we are root there (or have sudo) it is a
// transient timer, otherwise a background process that sleeps. What it acts on is an order file;
// a timer whose order was replaced or removed does nothing. Arming starts the new timer, then
// replaces the order, then stops the old timer: at every moment one timer fits the order.
//
// HAProxy is told through whatever can talk to its socket there: socat, python3, perl or nc. With
// none of them the timer raises the alarm only, and describe() says so.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/watchdog.hpp"

namespace hitless::watchdog {

// One registration of an instance, on one node.
struct WatchedTarget {
  std::string node;    // "lb-1"
  std::string socket;  // "unix:/run/haproxy/admin.sock" or "tcp:HOST:PORT", as the driver has it
  std::string backend, server;
  // From where the socket is reached: the node's host, or this machine for a node without one.
  // Null: for tcp the instance's host tries; a unix socket is out of reach, and nothing puts back.
  ports::Host* host = nullptr;
};

struct WatchedInstance {
  core::InstanceId instance;
  std::string service;
  int port = 0;
  ports::Host* host = nullptr;
  std::vector<WatchedTarget> targets;
  // Load balancers that no timer can speak to; the plan says so, and the alarm is all there is.
  std::vector<std::string> not_covered = {};
};

struct WatchdogConfig {
  std::vector<WatchedInstance> instances;
};

// What is not proper (names, sockets) makes an object whose arm() says so.
[[nodiscard]] std::unique_ptr<ports::Watchdog> make_watchdog(WatchdogConfig config);

// What it runs as root on the hosts; the same for every instance.
[[nodiscard]] ports::PrivilegedCommands privileged_commands();

}  // namespace hitless::watchdog
