// One look at the instances of a service for what calls for a rollout: memory, pending restarts,
// configuration that is not what the fleet file says. Reads only. What could not be read is named.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/triggers.hpp"
#include "cli/wiring.hpp"

namespace hitless::cli {

using Histories = std::map<std::string, agent::MemoryHistory>;  // by instance

struct TriggerLook {
  std::vector<agent::Finding> findings;
  std::vector<std::string> services;  // that were looked at
  std::vector<std::string> unknown;   // "web01: needrestart is not installed"
  // Instances where a trigger could not be judged: what stood there may still stand.
  std::set<std::pair<agent::Trigger, std::string>> blind;
};

Task<void> look_for_triggers(Wiring* wiring, Histories* histories, TriggerLook* look);

}  // namespace hitless::cli
