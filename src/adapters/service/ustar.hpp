// Files as one POSIX ustar archive, to bring many of them to a host in one round trip.
#pragma once
#include <map>
#include <string>

#include "base/error.hpp"

namespace hitless::service {

// Names are stored without their leading '/'; mode 0600, owner 0. Refuses names that ustar cannot
// hold (more than 255 bytes) or that would leave the folder (a ".." component).
[[nodiscard]] Result<std::string> make_ustar(const std::map<std::string, std::string>& files);

}  // namespace hitless::service
