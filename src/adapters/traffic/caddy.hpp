// Traffic driver for Caddy: one reverse_proxy handler (by its @id) on one or several nodes, over
// the admin API. The API listens on localhost by default, so curl speaks to it on the node's own
// host.
//
// - Drain takes the upstream out of the handler's list, rejoin adds it at the end. The edit carries
//   the ETag that was read (If-Match), so that an edit of somebody else in between is kept.
// - Caddy forgets the upstream's request count at once while its requests go on: in-flight work is
//   counted by the instance's sockets.
// - A list does not tell whose hand took one out. An upstream with settings of its own is refused,
//   because they would be lost.
// - Changes over the API are gone after `caddy reload` from a file and after a restart (unless it
//   runs with --resume); the report says `ready` then, and it is drained again.
// - Each change loads the configuration anew: WebSockets are closed then, unless
// stream_close_delay.
//
// After a crash all of it is in Caddy.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct CaddyNode {
  std::string name;
  ports::Host* host = nullptr;
  std::string url;  // of the admin API, as seen from that host
};

struct CaddyMember {
  core::InstanceId instance;
  std::string dial;  // "10.0.0.11:80", as it stands in the handler
};

struct CaddyPool {
  std::string lb, id;  // the handler's @id
  std::vector<CaddyNode> nodes;
  std::vector<CaddyMember> members;
  std::vector<traffic::InstanceSockets> sockets;
  DurationMs timeout_ms = 2'000;  // of one call
};

[[nodiscard]] Status check_caddy(const CaddyPool& pool);
// A pool that check_caddy refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_caddy(CaddyPool pool);

}  // namespace hitless
