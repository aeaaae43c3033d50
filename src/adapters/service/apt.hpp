// Packages with apt and dpkg (Debian, Ubuntu).
//
// What would change is asked of `apt-get --simulate`, so that apt itself decides; the plan names
// every version of it, and the installation is refused when the same question has another answer
// by then. Configuration files that were edited stay as they are (confold), nothing is asked,
// nothing is removed. The way back is the archive (apt-cache madison) or a .deb that apt still
// keeps in /var/cache/apt/archives; which of them, the plan says.
// After a crash dpkg may be half done: `dpkg --audit` says so, and nothing is begun then.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "ports/packages.hpp"
#include "ports/privileged.hpp"

namespace hitless::service {

struct AptConfig {
  std::vector<std::string> units;   // whose staleness is asked for
  std::vector<std::string> claims;  // service, port, service, port …: all that must still be ours
};
// The host must outlive it.
[[nodiscard]] std::unique_ptr<ports::Packages> make_apt(ports::Host& host, AptConfig config);

// Of the answer of the script that looks: pure, for its tests.
[[nodiscard]] Result<ports::PackageFacts> parse_pending(const std::string& out,
                                                        const std::string& host);

// name[:architecture] as dpkg has it.
[[nodiscard]] bool is_package_name(const std::string& name);

[[nodiscard]] ports::PrivilegedCommands privileged_commands_of_apt();

}  // namespace hitless::service
