// Evidence of a rollout that stopped before an instance failed: what its checklists and its reason
// to stop said, from the journal alone. Pure: the same journal gives the same evidence.
#pragma once
#include "cli/evidence_store.hpp"
#include "core/state.hpp"

namespace hitless::cli {

[[nodiscard]] KeptEvidence refusal_evidence(const core::State& state);

}  // namespace hitless::cli
