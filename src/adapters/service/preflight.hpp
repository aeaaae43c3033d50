// The preflight lines that all drivers share: privileges, the unit, its start limit, who goes down
// with it, disk space. One round trip gathers the facts, pure functions judge them.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "adapters/service/unit_status.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

inline constexpr std::int64_t kMinFreeKib = 1024;

struct PreflightQuery {
  std::string unit;                       // empty: not under systemd
  std::vector<std::string> config_files;  // their folders must have room
  std::vector<std::string> programs;      // must be found in PATH or at their path
};

Task<std::vector<core::Check>> preflight(ports::Host* host, PreflightQuery query);

[[nodiscard]] std::vector<core::Check> judge_unit(const std::string& name, const UnitStatus& unit,
                                                  std::int64_t uptime_us);
// df_lines: "<dir>\t<last line of df -P -k>\t<last line of df -P -i>", an empty field where df
// failed.
[[nodiscard]] core::Check judge_disk(const std::vector<std::string>& df_lines);
// "1min 30s" → microseconds; -1: infinity, or not understood.
[[nodiscard]] std::int64_t parse_timespan_us(std::string_view text);

}  // namespace hitless::service
