// Text from a host on its way into a check or a reading: redacted and short. Escaping is the
// sink's.
#pragma once
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "core/types.hpp"
#include "ports/host.hpp"

namespace hitless::service {

inline constexpr std::size_t kMaxEvidenceBytes = 400;

[[nodiscard]] std::string evidence(std::string_view text);
// The last lines of it that are not empty, joined by "; ".
[[nodiscard]] std::string last_lines(std::string_view text, std::size_t count);
// "exit 1: <last line of err or out>"
[[nodiscard]] std::string describe_exit(const ports::ExecResult& result);
[[nodiscard]] core::Check check(std::string name, core::CheckStatus status, std::string_view text,
                                std::string help = {});
// The host was not able to say: unknown, never a pass.
[[nodiscard]] core::Check unknown_check(std::string name, const Error& error);

}  // namespace hitless::service
