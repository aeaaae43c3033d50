// Traffic driver for NGINX Plus: one upstream in shared memory (`zone`), over its REST API.
//
// - Out of rotation is `drain`: only clients that are bound to the server by `sticky` still reach
// it.
//   `down` is somebody else's hand, and is left alone.
// - In flight is the peer's `active`. A reload starts the upstream anew in shared memory while old
//   workers go on with what they have: for a while after one the instance's sockets are counted.
// - A reload forgets a drain, unless the upstream has a `state` file: the report says `ready` then,
//   and it is drained again.
//
// After a crash all of it is in nginx.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct NginxPlusNode {
  std::string name;
  ports::Host* host = nullptr;
  std::string
      url;  // of the API with its version, "http://127.0.0.1:8080/api/9", as seen from there
};

struct NginxPlusMember {
  core::InstanceId instance;
  std::string server;  // "10.0.0.11:80", as the API shows the peer
};

struct NginxPlusPool {
  std::string lb, upstream;
  std::vector<NginxPlusNode> nodes;
  std::vector<NginxPlusMember> members;
  std::vector<traffic::InstanceSockets> sockets;
  std::string user;                               // of basic authentication; empty: none
  std::function<Result<std::string>()> password;  // asked for at each call
  DurationMs timeout_ms = 2'000;                  // of one call
};

[[nodiscard]] Status check_nginx_plus(const NginxPlusPool& pool);
// A pool that check_nginx_plus refuses makes a driver that reports unknown and refuses every
// command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_nginx_plus(NginxPlusPool pool);

}  // namespace hitless
