// What `systemctl show` says about a unit, and what that means after a restart or a reload. Pure.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace hitless::service {

// The properties that a probe and a preflight ask for, as given to `systemctl show -p`.
[[nodiscard]] const char* unit_properties();

struct UnitStatus {
  std::map<std::string, std::string> properties;

  [[nodiscard]] std::string get(const std::string& name) const;      // empty when not told
  [[nodiscard]] std::int64_t number(const std::string& name) const;  // 0 when not a number
  [[nodiscard]] std::string state() const;                           // "active/running"
  [[nodiscard]] bool running() const;                                // active, with a main process
  [[nodiscard]] bool job_queued() const;
  [[nodiscard]] std::string why_down() const;  // "Result=exit-code, exit 203/EXEC"
  // Other units that go down with this one: "a.service (RequiredBy)".
  [[nodiscard]] std::vector<std::string> pulled_along() const;
};

[[nodiscard]] UnitStatus parse_unit_status(std::string_view show_output);

// One reading. Whether it stays so is the core's stability window to say.
[[nodiscard]] core::ServiceReading judge_restart(const core::ServiceIdentity& before,
                                                 const core::ServiceIdentity& now,
                                                 const UnitStatus& unit);
// Of a program that is not known: conclusive for Type=notify-reload alone, indeterminate otherwise.
[[nodiscard]] core::ServiceReading judge_reload(const core::ServiceIdentity& before,
                                                const core::ServiceIdentity& now,
                                                const UnitStatus& unit);
// What is wrong on systemd's side after a reload; verdict proven when nothing is.
[[nodiscard]] core::ServiceReading judge_still_there(const core::ServiceIdentity& before,
                                                     const core::ServiceIdentity& now,
                                                     const UnitStatus& unit);

}  // namespace hitless::service
