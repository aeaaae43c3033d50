// Traffic driver for IPVS (Linux Virtual Server, with keepalived or by hand): one virtual service
// on one or several directors, with `ipvsadm` on each.
//
// - Out of rotation is weight 0: no new connections, those that are there are served on. The weight
//   of before is kept in a small file under /run on the director, written before the weight is
//   changed: it says whose hand it was, and what to put back.
// - In flight are the director's active connections, idle kept-alive ones included. Those that are
//   not established (InActConn) are not told: the host does not count them as such either. Of UDP
//   there are none that are active, so a UDP service is refused.
// - An edit by ipvsadm is told the forwarding method and the thresholds too, or they would become
//   the defaults. What it cannot be told (a tunnel that is not ipip, a local server) is refused.
// - Persistent clients (a template) still reach a server with weight 0, unless
//   net.ipv4.vs.expire_quiescent_template is 1.
// - keepalived takes a server away whose check fails, and puts it back with its own weight: then it
//   is in rotation as soon as keepalived thinks so. The report says what IPVS does.
//
// After a crash all of it is in the kernel and in /run; both are gone after a reboot of the
// director.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct IpvsNode {
  std::string name;
  ports::Host* host = nullptr;
};

struct IpvsMember {
  core::InstanceId instance;
  std::string server;  // "10.0.0.11:80", as `ipvsadm -Ln` shows it
};

struct IpvsPool {
  std::string lb;
  std::string service;  // "tcp:10.0.0.1:80", "fwmark:7"
  std::string binary = "/usr/sbin/ipvsadm";
  std::string state_folder = "/run/hitless-ipvs";
  std::vector<IpvsNode> nodes;
  std::vector<IpvsMember> members;
  std::vector<traffic::InstanceSockets> sockets;
};

[[nodiscard]] Status check_ipvs(const IpvsPool& pool);
// A pool that check_ipvs refuses makes a driver that reports unknown and refuses every command.
[[nodiscard]] std::unique_ptr<ports::Traffic> make_ipvs(IpvsPool pool);
[[nodiscard]] ports::PrivilegedCommands ipvs_commands(const std::string& binary);

}  // namespace hitless
