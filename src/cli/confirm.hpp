// Asking before something is changed.
#pragma once
#include <optional>

#include "cli/app.hpp"

namespace hitless::cli {

// Empty: go ahead. Only a person at a terminal can be asked; a script says --yes.
[[nodiscard]] std::optional<int> confirm(const App& app);

}  // namespace hitless::cli
