// Replay (rule I10): every journal, folded again, gives the state that its rollouts were in.
//
// Each rollout is folded twice: whole, from what the journal gives; and event by event through the
// text of the codec, with the rules of core/invariants checked at each step. Both must end in the
// same state, and that state must be what the history row says. Looks only.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/event.hpp"
#include "ports/journal.hpp"

namespace hitless::journal {

struct ReplayReport {
  std::int64_t rollouts = 0, entries = 0;
  std::vector<std::string> problems;  // "R-1: …"
};

// An Error: there is no journal, or it cannot be read.
[[nodiscard]] Result<ReplayReport> replay_all(const std::string& dir);

// One rollout; what is wrong, empty when nothing is.
[[nodiscard]] std::vector<std::string> replay_problems(const ports::RolloutRow& row,
                                                       const std::vector<core::Entry>& entries);

}  // namespace hitless::journal
