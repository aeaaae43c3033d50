// The fixed sh scripts of this layer, each from the file that runs it: privileged.cpp names them
// for sudoers.
#pragma once

namespace hitless::service {

[[nodiscard]] const char* probe_script();
[[nodiscard]] const char* read_script();
[[nodiscard]] const char* facts_script();
[[nodiscard]] const char* stage_script();
[[nodiscard]] const char* times_script();
[[nodiscard]] const char* unit_script();
[[nodiscard]] const char* upgrade_script();
[[nodiscard]] const char* command_script();

}  // namespace hitless::service
