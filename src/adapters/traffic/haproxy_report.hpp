// From what HAProxy says to what hitless calls it: pure functions over one look at one node.
//
// Whether a server is in rotation is read from the admin mask, the weight and the status together,
// as no one of them tells it all: weight 0 shows as UP, a server enabled after `disabled` keeps its
// CMAINT bit, and DRAIN shows as DOWN once the check fails.
#pragma once
#include <string>
#include <vector>

#include "adapters/traffic/haproxy_stat.hpp"
#include "core/types.hpp"

namespace hitless::traffic {

// One look at one pool on one node. `old` are the tables of workers from before a reload that still
// finish their sessions; old_unknown says why those could not be seen (empty: they were, or none
// live).
struct NodeView {
  WorkerInfo worker;
  std::vector<std::int64_t> old_pids;
  bool backend_missing = false;
  StatTable stat;
  ServerStates states;
  std::vector<StatTable> old;
  std::string old_unknown;
  std::int64_t failed_reloads = 0;
};

struct AdminReading {
  core::AdminState state = core::AdminState::unknown;
  bool by_drain_command =
      false;              // `set server … state drain`: what ours looks like, and `ready` undoes
  bool by_other = false;  // something that `ready` does not undo
  std::string why;        // for people; empty when ready
};

[[nodiscard]] AdminReading read_admin(const StatRow& row, const ServerState& state);
[[nodiscard]] bool is_out(core::AdminState state);  // drain or maint
[[nodiscard]] core::LbCheck read_check(const StatRow& row, const ServerState& state);
[[nodiscard]] bool has_check(const StatRow& row, const ServerState& state);

// pid and start of the worker that takes new work; changes on reload and restart.
[[nodiscard]] std::string epoch_of(const WorkerInfo& worker);
// Requests or sessions at the server, in all workers; empty when one of them is unknown.
[[nodiscard]] std::optional<std::int64_t> in_flight_of(const NodeView& view,
                                                       const std::string& server);
// Fills all of the report but instance, lb, node and pool. `doubt` says why an old worker's
// sessions may be missing from the count (empty: none); the count is then left empty.
[[nodiscard]] core::TargetReport make_report(const NodeView& view, const std::string& backend,
                                             const std::string& server, const std::string& doubt);

}  // namespace hitless::traffic
