// Traffic driver for HAProxy 2.4 and later: one backend on one or several nodes, over the runtime
// API.
//
// - Drains, never `maint`: health checks go on, so a rejoin is gated by them. Someone else's maint
// is
//   left as it is; `drain` would silently take it away.
// - Cookies, stick tables and `use-server` rules still send work to a drained server. The first two
// are
//   seen and told (sticky_leak); use-server is not visible over the socket, only its effect is: the
//   requests of a drained server rise.
// - HAProxy has no exit status: a reply that is not empty is a failure, and every command is read
// back.
// - A reload forgets drains (the report says `ready` and the epoch changes: drain again) and leaves
//   sessions in the old worker, whose counts only the master socket shows. Without a master socket
//   this holds: once a node's epoch has changed under this driver, the in-flight count of a server
//   is unknown unless the driver's last look before the change saw it out of rotation with nothing
//   in flight. It stays unknown for the driver's life, or for hard_stop_after_ms if that is given,
//   because nothing else bounds an old worker's life. A fresh driver has seen no change and reports
//   what the worker counts.
// - requests and errors of a report are the current worker's alone, "since the epoch began".
// - counters() adds up all workers; its epoch stays the same as long as no worker that was counted
// is
//   gone, so two sums with one epoch can be compared.
//
// After a crash it knows nothing; all of it is in HAProxy.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ports/traffic.hpp"

namespace hitless {

struct HaproxyNode {
  std::string name;
  std::string socket;  // "unix:/run/haproxy/admin.sock" or "tcp:HOST:PORT", `level admin`
  std::string master;  // the same for the master socket (`haproxy -W -S`); empty: none
  // Maps a UNIX path on the node to one here that leads to it (an SSH forward). Asked again after
  // the connection could not be made. Empty: the path is used as it is.
  std::function<Task<Result<std::string>>(std::string)> forward;
  std::optional<DurationMs> hard_stop_after_ms;  // `hard-stop-after` of its configuration
};

struct HaproxyPool {
  std::string lb;
  std::vector<HaproxyNode> nodes;
  std::string backend;
  std::vector<std::pair<core::InstanceId, std::string>> servers;  // instance, server name
  DurationMs deadline_ms = 2000;           // for one look at, or one command to, a node
  DurationMs rejoin_check_wait_ms = 5000;  // how long rejoin() waits for HAProxy's check to pass
};

// What is wrong with the names and addresses, before anything is asked.
[[nodiscard]] Status check_haproxy(const HaproxyPool& pool);
// A pool that check_haproxy refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_haproxy(HaproxyPool pool);

}  // namespace hitless
