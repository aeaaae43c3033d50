// What a host says about itself as a whole: its boot, systemd's state, whether it wants a reboot.
// One round trip each, without root.
#pragma once
#include <string>
#include <vector>

#include "ports/host.hpp"

namespace hitless::service {

struct HostFacts {
  std::string boot_id;
  bool systemd = false;
  std::string system_state;      // "running", "degraded", "starting", "stopping"
  bool reboot_required = false;  // /run/reboot-required is there
  std::string reboot_reason;     // the packages that want it: "linux-image-6.1.0-40-amd64, libc6"
  [[nodiscard]] bool still_booting() const {
    return system_state == "starting" || system_state == "initializing";
  }
};

Task<Result<HostFacts>> read_host_facts(ports::Host* host);
[[nodiscard]] Result<HostFacts> parse_host_facts(const std::string& out, const std::string& host);

// What `systemctl is-enabled` says of each unit, in order; "" becomes "unknown".
Task<Result<std::vector<std::string>>> read_enabled(ports::Host* host,
                                                    std::vector<std::string> units);

}  // namespace hitless::service
