// Traffic driver for load balancers that watch a file on the instance's host (a health endpoint
// that is 200 only while the file is there). Out of rotation: the file was renamed to
// FILE.hitless-drained, so that its content, owner and mode come back with it.
//
// - Both names: somebody made the file anew; it is in rotation. Neither: somebody else took it away
//   (maint); it is not ours to make. What is not a regular file is unknown.
// - The load balancers notice only after their interval × fall: settle_ms, which the user gives.
// - In-flight work is counted by the instance's sockets.
//
// After a crash the two names tell all.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/host.hpp"
#include "ports/privileged.hpp"
#include "ports/traffic.hpp"

namespace hitless {

struct TouchFileMember {
  core::InstanceId instance;
  ports::Host* host = nullptr;
  std::string file;  // absolute
  int port = 0;
};

struct TouchFilePool {
  std::string lb;
  std::vector<TouchFileMember> members;
  DurationMs settle_ms = 0;
};

[[nodiscard]] std::unique_ptr<ports::Traffic> make_touch_file(TouchFilePool pool);
// What it runs as root on the instance's host.
[[nodiscard]] ports::PrivilegedCommands touch_file_commands(const std::string& file);

}  // namespace hitless
