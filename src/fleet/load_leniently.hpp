// For looking, restarting and ending what was begun: a file to install that is not there (HL0205) is
// a warning then, because it must not stand in the way of putting an instance back. Whoever installs
// files reads them, and fails there.
#pragma once
#include "fleet/fleet.hpp"

namespace hitless::fleet {

[[nodiscard]] LoadResult load_fleet_leniently(const std::string& path, const Outside& outside = {});

}  // namespace hitless::fleet
