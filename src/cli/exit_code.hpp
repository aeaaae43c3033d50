// Exit codes of every verb (README, "Exit codes"). Scripts depend on them; never renumber.
#pragma once
#include "core/event.hpp"

namespace hitless::cli {

enum Exit : int {
  kOk = 0,
  kError = 1,
  kChangesPresent = 2,  // only with --detailed-exitcode
  kRolledBack = 3,      // failed, rolled back, the fleet is healthy
  kHumanNeeded = 4,
  kBlocked = 5,  // a gate said no, nothing was touched
  kAborted = 6,
  kStalePlan = 7,
  kUsage = 64,
  kConfig = 78,
  kWaitExpired = 124,
  kDetached = 130,
};

[[nodiscard]] inline int exit_code_of(core::RolloutResult result) {
  switch (result) {
    case core::RolloutResult::succeeded:
      return kOk;
    case core::RolloutResult::rolled_back:
      return kRolledBack;
    case core::RolloutResult::human_needed:
      return kHumanNeeded;
    case core::RolloutResult::blocked:
      return kBlocked;
    case core::RolloutResult::aborted:
      return kAborted;
  }
  return kError;
}

}  // namespace hitless::cli
