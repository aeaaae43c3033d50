// Reading the fleet file for a verb: diagnostics to stderr, and the service that was asked for.
#pragma once
#include <optional>

#include "cli/app.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

// Empty: it has errors, which were printed.
[[nodiscard]] std::optional<fleet::Fleet> load_fleet_or_complain(const App& app);

}  // namespace hitless::cli
