// The sudoers text for every login user of the fleet. No host is contacted: `ssh -G` only reads the
// user's ssh_config.
#pragma once
#include <string>

#include "base/error.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

// only_service: empty for all. One text per user, over all services; empty when no host has `sudo:
// true`.
[[nodiscard]] Result<std::string> sudoers_text(const fleet::Fleet& fleet,
                                               const std::string& only_service);

}  // namespace hitless::cli
