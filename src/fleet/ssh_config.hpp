// The little of an ssh_config that is needed to know a host's address: HostName, User and Port
// under Host patterns, first match wins, Include followed within bounds. Connections are made by
// ssh itself, which reads the file again with all of its rules; Match blocks other than `Match all`
// are skipped.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "fleet/source.hpp"

namespace hitless::fleet {

class SshConfig {
 public:
  static constexpr int kMaxDepth = 8, kMaxFiles = 64;

  // Problems (HL0605) go to diagnostics; what could be read is used.
  [[nodiscard]] static SshConfig load(const std::string& path, Diagnostics& diagnostics);

  struct Entry {
    std::string host_name, user, port;  // empty: not said
  };
  [[nodiscard]] Entry lookup(std::string_view name) const;

 private:
  struct Option {
    std::vector<std::string> patterns;
    std::string keyword, value;
  };
  struct Reader;
  std::vector<Option> options_;
};

// `*` and `?` as in ssh; any other character stands for itself, in any case.
[[nodiscard]] bool matches_pattern(std::string_view text, std::string_view pattern);

}  // namespace hitless::fleet
