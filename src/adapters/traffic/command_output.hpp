// The output contract of kind command, parsed strictly.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/types.hpp"

namespace hitless::traffic {

struct CommandState {
  core::AdminState admin = core::AdminState::unknown;
  core::LbCheck check = core::LbCheck::none;
  std::optional<std::int64_t> in_flight, idle, requests, errors;
  std::string epoch;
};

// One line (a line break at its end may be missing), no control characters, each key at most once.
[[nodiscard]] Result<CommandState> parse_command_state(std::string_view out);
[[nodiscard]] Result<std::int64_t> parse_command_count(std::string_view out);

}  // namespace hitless::traffic
