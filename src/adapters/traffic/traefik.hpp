// Traffic driver for Traefik: one HTTP service of its file provider, on one or several nodes. The
// file is edited, the API says what became of it.
//
// - Traefik has no drain: the server's lines in the YAML file are commented out, with a mark of
//   whose hand it was, and come back as they were. The file is replaced by a rename, so Traefik
//   must watch its folder. Only a server that the API no longer lists is told as out.
// - Requests to a removed server go on and are not counted by Traefik: the instance's sockets are.
// - A server that comes back counts as healthy until its first check fails: no check gates it.
// - A drain is in the file, so it outlives Traefik.
//
// After a crash all of it is in the file and in Traefik.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct TraefikNode {
  std::string name;
  ports::Host* host = nullptr;
  std::string url;  // of the API, as seen from that host
};

struct TraefikMember {
  core::InstanceId instance;
  std::string server;  // "http://10.0.0.11:80", as it stands in the file
};

struct TraefikPool {
  std::string lb, service;
  std::string file;  // YAML, absolute, the same on every node
  std::vector<TraefikNode> nodes;
  std::vector<TraefikMember> members;
  std::vector<traffic::InstanceSockets> sockets;
  DurationMs timeout_ms = 2'000;  // of one call
  DurationMs taken_ms = 10'000;   // Traefik takes a change within providersThrottleDuration, 2 s
};

[[nodiscard]] Status check_traefik(const TraefikPool& pool);
// A pool that check_traefik refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_traefik(TraefikPool pool);
[[nodiscard]] ports::PrivilegedCommands traefik_commands(const std::string& file);

}  // namespace hitless
