// Scripts that sudo can know. sudo compares no more than 1024 bytes of a regular expression, and
// our scripts are longer; so a privileged `sh -c SCRIPT NAME ARGS…` is run as
// `sh -c SEAL NAME BASE64 ARGS…`, where SEAL is short, holds the SHA-256 of BASE64, and runs what
// that encodes. A sudoers line names SEAL in full: no other script fits the hash.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hitless::host {

struct SealedScript {
  std::string seal, encoded;
};
[[nodiscard]] SealedScript seal_script(std::string_view script);
[[nodiscard]] bool is_script(const std::vector<std::string>& argv);  // sh -c SCRIPT …
// argv itself when it is no script.
[[nodiscard]] std::vector<std::string> seal_argv(std::vector<std::string> argv);

}  // namespace hitless::host
