// Packages port: what a host's package manager would change, and changing it.
//
// An installation names exact versions, new or old, and is refused when the package manager would
// change anything else, or remove something. It runs as one fenced operation on the host: the same
// id happens once, a lost connection is not a lost outcome, and what is installed already is left
// alone, so that it can be asked for again after any crash.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/event.hpp"
#include "ports/host.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

struct PackageChange {
  std::string name;      // with its architecture: "nginx:amd64"
  std::string from, to;  // from: empty when it is not installed yet
  std::string way_back;  // where `from` is still to be had: "archive" or a file; empty: nowhere
};

struct PackageFacts {
  std::vector<PackageChange> changes;
  std::vector<core::Check> checks;  // the package manager is idle and whole, nothing is removed
};

// What runs code that is gone from the disk, or is older than its own package.
struct StaleUnit {
  std::string unit, reason;
};

struct InstallOrder {
  std::vector<PackageChange> packages;
  bool backward = false;  // to `from`, else to `to`
  std::string operation_id;
  DurationMs deadline_ms = 600'000;
  Fence fence = {};
};

class Packages {
 public:
  virtual ~Packages() = default;
  // What upgrading these (empty: everything that can be) would do. Changes nothing.
  virtual Task<Result<PackageFacts>> pending(std::vector<std::string> names) = 0;
  virtual Task<Result<std::vector<StaleUnit>>> stale() = 0;
  virtual Task<Result<core::Outcome>> install(InstallOrder order) = 0;
};

}  // namespace hitless::ports
