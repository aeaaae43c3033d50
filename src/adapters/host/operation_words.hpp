// How an operation's words are written for systemd-run; sudoers_lines() must write the same.
#pragma once
#include <string>

namespace hitless::host {

// systemd expands $NAME in the arguments of a transient unit; $$ is a dollar sign.
[[nodiscard]] std::string escape_dollars(const std::string& word);

}  // namespace hitless::host
