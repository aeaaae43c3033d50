// A configuration file on a load balancer's host that others edit too: read with its hash, and
// replaced by a rename only while it still has that hash. A crash leaves the old file or the new.
#pragma once
#include <string>

#include "base/error.hpp"
#include "ports/host.hpp"
#include "ports/privileged.hpp"

namespace hitless::traffic {

struct NodeFile {
  std::string text, sha;
};

Task<Result<NodeFile>> read_node_file(ports::Host* host, std::string path);
// True: replaced. False: it holds another text now; read it again.
Task<Result<bool>> swap_node_file(ports::Host* host, std::string path, std::string sha,
                                  std::string text);
[[nodiscard]] ports::PrivilegedCommands node_file_commands(const std::string& path);

}  // namespace hitless::traffic
