// Keeps, and compares with, the configuration that each instance was proven to run. Its place is
// under the state folder; nothing else knows of it.
#pragma once
#include <string>

#include "cli/wiring.hpp"

namespace hitless::cli {

// Wraps the service driver of each instance. Whole hosts are left as they are.
void remember_loaded_configs(Wiring& wiring, const std::string& state_dir);

}  // namespace hitless::cli
