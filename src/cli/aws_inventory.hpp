// The members of AWS target groups for the fleet file's inventory. Those known before are kept in
// the state folder: an instance that is out, and so not registered, must not fall out of the fleet.
#pragma once
#include <string>

#include "base/error.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

[[nodiscard]] Result<std::string> ask_target_group(const fleet::TargetGroupQuestion& question,
                                                   const std::string& state_dir);

}  // namespace hitless::cli
