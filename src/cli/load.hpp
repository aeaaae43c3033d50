// Reading the fleet file for a verb: diagnostics to stderr, and the service that was asked for.
#pragma once
#include <optional>

#include "cli/app.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

// Empty: it has errors, which were printed. `findings` gets them and the warnings as well.
[[nodiscard]] std::optional<fleet::Fleet> load_fleet_or_complain(
    const App& app, std::vector<fleet::Diagnostic>* findings = nullptr);

// The same without printing: what is wrong comes back as the error, its first lines.
[[nodiscard]] Result<fleet::Fleet> load_fleet_quietly(const App& app);

}  // namespace hitless::cli
