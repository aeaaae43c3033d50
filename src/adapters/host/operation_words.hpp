// How an operation is started; sudoers_lines() must write the same.
#pragma once
#include <string>
#include <vector>

namespace hitless::host {

// systemd expands $NAME in the arguments of a transient unit; $$ is a dollar sign.
[[nodiscard]] std::string escape_dollars(const std::string& word);

// sh -c SCRIPT sh, before the script's arguments. As a transient unit or as a detached process.
[[nodiscard]] std::vector<std::string> operation_start_words(bool unit);
// $1 id, of a detached one.
[[nodiscard]] std::vector<std::string> operation_wait_words();
[[nodiscard]] std::vector<std::string> operation_collect_words();

}  // namespace hitless::host
