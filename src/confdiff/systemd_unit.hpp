// systemd units, drop-ins merged: what is compared is the effective value of each setting, so
// moving one from the unit to a drop-in is no change.
//
// The files are one unit: NAME and NAME.d/*.conf (also TYPE.d and dash-prefix drop-ins), under any
// of systemd's folders; /etc outranks /run outranks /usr/lib for the same name, drop-ins apply in
// byte order of their file names. Lists (Environment=, ExecStartPre=, After= …) grow, and an empty
// assignment clears what came before; a scalar's last assignment counts. Class reload means
// `daemon-reload` alone.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "confdiff/types.hpp"

namespace hitless::confdiff {

struct UnitValue {
  std::string text;
  std::string file;
  int line = 0, column = 0;
};
// "Service/ExecStart" → its effective values in order.
using UnitSettings = std::map<std::string, std::vector<UnitValue>>;

inline constexpr std::size_t kMaxUnitBytes = 1u << 20;  // of one file, as systemd itself
inline constexpr std::size_t kMaxUnitValues = 50'000;

// extra: a drop-in that does not apply to this unit is skipped.
[[nodiscard]] tl::expected<UnitSettings, ParseError> parse_systemd_unit(
    const Files& files, const std::string& main_path);

struct UnitRule {
  ChangeClass added, removed, changed;
  Topic topic;
  std::string_view reason;
};
[[nodiscard]] UnitRule unit_rule(std::string_view section, std::string_view key);
[[nodiscard]] bool is_unit_list(std::string_view section, std::string_view key);

}  // namespace hitless::confdiff
