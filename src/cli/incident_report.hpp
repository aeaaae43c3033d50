// An incident as text: what failed, the diagnosis, the evidence, the timeline, the change.
// Rendered from the journal alone, so that it says what was done and not what somebody remembers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/app.hpp"
#include "cli/evidence_store.hpp"
#include "core/state.hpp"
#include "witness/certificate.hpp"

namespace hitless::cli {

[[nodiscard]] std::string incident_report(const core::State& state,
                                          const std::vector<core::Entry>& entries,
                                          const std::optional<witness::Certificate>& certificate,
                                          const Diagnosed& diagnosed);

// `hitless incident` for one rollout, also when no incident was opened for it.
int tell_incident(const App& app, ports::Journal& journal, const ports::RolloutRow& row);

}  // namespace hitless::cli
