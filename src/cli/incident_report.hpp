// An incident as text: what failed, the evidence, the timeline, the change. Rendered from the
// journal alone, so that it says what was done and not what somebody remembers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/state.hpp"
#include "witness/certificate.hpp"

namespace hitless::cli {

[[nodiscard]] std::string incident_report(
    const core::State& state, const std::vector<core::Entry>& entries,
    const std::optional<witness::Certificate>& certificate = {});

}  // namespace hitless::cli
