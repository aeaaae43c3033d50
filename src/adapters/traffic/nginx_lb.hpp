// Traffic driver for nginx (open source) as a load balancer: one upstream on one or several nodes.
// It has no runtime API, so the upstream file is edited (`down`), tested, and nginx is told to
// reload; then it is proven that every worker that takes connections has read it.
//
// - The edit keeps what others wrote: it is made on the text that is there now, installed only if
//   that text is still there (under a lock in its folder), and tested with `nginx -t` before nginx
//   is told. A text that nginx has not read yet, in this file or in another of its configuration,
//   is somebody's pending edit: nothing is reloaded, the state is unknown until they reload or undo
//   it.
// - A reload that nginx does not carry out ([emerg] in the error log, workers unchanged) is undone
//   and fails.
// - Drained: no connection to the peer is left, and the workers of before the reload are gone,
// because
//   one of those may still pick it for a request that it is reading. With WebSockets they may live
//   for hours: `sockets_suffice` leaves them out.
// - Each reload costs clients idle connections and piles up workers: drains that wait for one
// another
//   are put into one edit.
// - nginx counts neither requests nor errors of a peer, and has no health checks that gate a
// rejoin.
//
// After a crash it knows nothing: `down`, the mark of whose hand it was, and the times of file and
// workers say it all. They also survive restarts of nginx and of its host.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct NginxLbNode {
  std::string name;
  ports::Host* host = nullptr;
};

struct NginxLbFiles {
  std::string upstreams, binary, main_config, error_log, pid_file;  // absolute
};

struct NginxLbMember {
  core::InstanceId instance;
  std::string server;  // as it is written in the upstream
};

struct NginxLbPool {
  std::string lb, upstream;
  NginxLbFiles files;
  std::vector<NginxLbNode> nodes;
  std::vector<NginxLbMember> members;
  std::vector<traffic::InstanceSockets> sockets;  // for servers that are no literal addresses
  bool sockets_suffice = false;
  DurationMs reload_wait_ms = 8'000;  // nginx retries a bind for 2.5 s before it gives up
};

[[nodiscard]] Status check_nginx_lb(const NginxLbPool& pool);
// A pool that check_nginx_lb refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_nginx_lb(NginxLbPool pool);
[[nodiscard]] ports::PrivilegedCommands nginx_lb_commands(const NginxLbFiles& files);

}  // namespace hitless
