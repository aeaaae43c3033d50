// Traffic driver for a load balancer that the user's own commands speak to: drain, rejoin, state,
// and if given count and close, for each member on each node. What they print is hostile: anything
// but the documented form is unknown (docs/how-to-command.md).
//
//   state   exit 0 and one line: `ready`, `drain`, `maint` (somebody else took it out) or `absent`,
//           then any of check=pass|fail|none in_flight=N idle=N requests=N errors=N epoch=WORD
//   count   exit 0 and one whole number: requests or sessions in flight
//   others  exit 0: it was told; whether it is so, `state` says
//
// Commands run as the user who logs in, as words, without a shell. The truth is in the load
// balancer: after a crash `state` tells it again.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "adapters/traffic/host_sockets.hpp"
#include "ports/host.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct CommandMember {
  core::InstanceId instance;
  std::string member;
  std::vector<std::string> drain, rejoin, state, count, close;  // count, close: empty: not given
};

struct CommandNode {
  std::string name;
  ports::Host* host = nullptr;  // where the commands run
  std::vector<CommandMember> members;
};

struct CommandPool {
  std::string lb, pool;
  std::vector<CommandNode> nodes;
  std::vector<traffic::InstanceSockets> sockets;  // for what neither state nor count counts
  DurationMs timeout_ms = 10'000;  // of drain, rejoin and close, with their reading back
  DurationMs settle_ms = 0;
};

[[nodiscard]] std::unique_ptr<ports::Traffic> make_command_traffic(CommandPool pool);

}  // namespace hitless
