// Environment files (KEY=VALUE, as systemd's EnvironmentFile= reads them). A running process keeps
// its environment, so any change of a variable is a restart; the values of secret-looking keys are
// never in a Change.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hitless::confdiff {

struct EnvVariable {
  std::string value;
  int line = 0;
};
// Last assignment of each key; "export " is skipped; lines that are none are ignored, as systemd
// does.
[[nodiscard]] std::map<std::string, EnvVariable> parse_env_file(std::string_view content);

// `A=1 "B=two words" C='x'` of one Environment= line, quotes resolved.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> parse_assignments(
    std::string_view text);

}  // namespace hitless::confdiff
