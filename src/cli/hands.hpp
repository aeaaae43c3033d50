// Whose hand took an instance out of rotation: the journal knows ours; all others are someone
// else's.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "cli/wiring.hpp"
#include "core/types.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

struct Hand {
  std::string text;  // "quarantined by R-7f3a (INC-3)"
  std::int64_t since = 0;
  std::string next;        // the command that says more, or goes on
  std::string unfinished;  // the rollout, while it has not ended
};

struct Hands {
  std::map<core::InstanceId, Hand> out;       // left out by a rollout of ours
  std::vector<ports::RolloutRow> unfinished;  // running now, or cut off
  std::vector<ports::RolloutRow> untold;      // ended, and its notification is still due
};

// Looks back over the last rollouts of the service. The latest one that worked on an instance
// counts.
[[nodiscard]] Hands find_hands(ports::Journal& journal, const std::string& service);
// Whether a rollout over whole hosts works on this service too, or counts on it.
[[nodiscard]] bool concerns(const core::Plan& plan, const std::string& service);
// Tells the drivers' parts what earlier rollouts of ours left out: it is ours to put back.
void add_left_out(ports::Journal& journal, Wiring& wiring);

}  // namespace hitless::cli
