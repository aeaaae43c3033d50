// Packages of a host: what `patch` would change there, and changing it. The plan names every
// version; a rollout that runs installs those and nothing else, and its way back is the versions
// from before.
#pragma once
#include <string>
#include <vector>

#include "core/event.hpp"
#include "engine/parts.hpp"

namespace hitless::engine {

struct PackageWish {
  std::vector<std::string> names;  // empty: whatever can be upgraded
  bool without_way_back = false;
  bool runs = false;  // of a rollout: nothing but `planned` may be changed
  std::vector<core::PlannedPackage> planned;
};

struct PackageFinding {
  std::vector<core::Check> checks;
  std::vector<core::PlannedPackage> packages;
  std::string summary;
  bool anything = false;  // something is to be upgraded, or runs what is gone
};

Task<PackageFinding> look_at_packages(const InstanceParts* instance, PackageWish wish);

// The planned packages of this instance, to their new versions or back; order: id, fence, deadline.
Task<Result<core::Outcome>> install_packages(const InstanceParts* instance,
                                             std::vector<core::PlannedPackage> planned,
                                             core::Direction direction, ports::InstallOrder order);

[[nodiscard]] std::vector<core::PlannedPackage> packages_of(
    const std::vector<core::PlannedPackage>& planned, const core::InstanceId& instance);

}  // namespace hitless::engine
