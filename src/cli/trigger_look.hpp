// One look at the instances of a service for what calls for a rollout: memory, pending restarts,
// configuration that is not what the fleet file says. Reads only. What could not be read is named.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "agent/triggers.hpp"
#include "cli/wiring.hpp"

namespace hitless::cli {

using Histories = std::map<std::string, agent::MemoryHistory>;  // by instance

struct TriggerLook {
  std::vector<agent::Finding> findings;
  std::vector<std::string> unknown;  // "web01: needrestart is not installed"
};

Task<void> look_for_triggers(Wiring* wiring, Histories* histories, TriggerLook* look);

}  // namespace hitless::cli
