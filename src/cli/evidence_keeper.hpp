// Looks at an instance that failed: what the host shows, what the load balancers and dependencies
// say, what this rollout saw of it. Called by the run loop before a rollback changes anything.
#pragma once
#include <functional>

#include "cli/wiring.hpp"
#include "core/state.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

// Both must outlive the run. For engine::RunContext::keep_evidence.
[[nodiscard]] std::function<Task<void>(core::Instance)> evidence_keeper(Wiring* wiring,
                                                                        ports::Journal* journal,
                                                                        std::string rollout);

}  // namespace hitless::cli
