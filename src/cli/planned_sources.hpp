// Where the files of a plan come from, when a rollout is run again after its controller died.
//
// A new configuration comes from the fleet file's sources. What a `rollback` of an earlier rollout
// installs comes from backups on the hosts, which the fleet file does not name: the plan names
// them, "web01:/etc/nginx/nginx.conf.backup-20260218", and each is bound by its hash. So a rollback
// that was cut off goes on to the configuration of before, and not back to the one that it came
// from.
#pragma once
#include <string>

#include "cli/wiring.hpp"
#include "core/state.hpp"

namespace hitless::cli {

std::string source_on_host(const engine::InstanceParts& instance, const std::string& path);

// Reads what the plan takes from hosts. What cannot be read, or was changed since, stays what the
// fleet file says, and changed_source() then names it.
Task<void> take_sources_from_hosts(Wiring* wiring, core::State state);

// A source that is no longer what was planned cannot be installed on the rest; going back needs no
// source. Empty: there is none.
std::string changed_source(const Wiring& wiring, const core::State& state);

}  // namespace hitless::cli
