// Traffic port: one pool in one load balancer, on all of its nodes.
//
// A driver reports, it does not judge: what cannot be read is AdminState::unknown with a note,
// never an empty list and never a guess. Each mutation reads back what it did before it returns ok.
// It may be called again at any time with the same meaning (drain of a drained target is ok). After
// a crash a driver knows nothing: all state is in the load balancer and the journal.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/types.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

struct TrafficCapabilities {
  bool exact_in_flight = true;       // the count is of requests or sessions, not a guess
  bool counts_idle = false;          // the count includes idle kept-alive connections
  bool survives_lb_reload = false;   // a drain outlives a reload of the LB
  bool survives_lb_restart = false;  // and a restart of it
  bool tells_foreign = true;         // what somebody else took out is `maint`, and stays out
  bool counts_requests = true;       // reports and counters have requests and errors
  bool checked_rejoin = true;        // it has a health check of its own that gates new work
  bool sticky_leak = false;          // persistent clients still reach a drained target
  bool counts_work = true;           // false: only the host's own sockets tell what is in flight
  DurationMs settle_ms = 0;          // how long after `out` new work may still arrive
  DurationMs rejoin_ms = 0;          // how long it may take from rejoin until its check passes
  std::vector<std::string> remarks;  // for the plan: "be_web uses cookies: ..."
};

struct PoolCounters {  // one node's totals for the pool; for the witness
  std::string node, epoch;
  std::optional<std::int64_t> requests, responses_5xx, connect_errors, response_errors,
      server_aborts, retries, redispatches, queued;
  std::optional<TimeMs> as_of;  // until when they count, for an LB whose counters lag; else: now
  std::string problem;          // why they could not be read
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  [[nodiscard]] virtual std::string describe() const = 0;  // "be_web @ lb-1, lb-2"
  virtual Task<Result<TrafficCapabilities>> capabilities() = 0;
  // One report for each target of ours × node. Nodes are asked in parallel.
  virtual Task<std::vector<core::TargetReport>> read() = 0;
  virtual Task<Status> drain(core::InstanceId target) = 0;
  virtual Task<Status> rejoin(core::InstanceId target) = 0;
  virtual Task<Status> close_remaining(core::InstanceId target) = 0;
  virtual Task<std::vector<PoolCounters>> counters() = 0;
  // Local ports, at the load balancer, of those connections to the target that are open now as its
  // own health check and nothing else. What it cannot tell apart from work is not among them.
  virtual Task<std::vector<int>> check_ports(core::InstanceId /*target*/) {
    co_return std::vector<int>{};
  }
  // False: counters() has nothing to say; then nobody counts all requests of a service.
  [[nodiscard]] virtual bool has_counters() const { return true; }
  // How far counters() may lie behind; the witness waits so long at the end for the last of them.
  [[nodiscard]] virtual DurationMs counter_lag_ms() const { return 0; }
  // What a driver kept from an earlier look will not do: the next read() must ask anew.
  virtual void expire() {}
};

}  // namespace hitless::ports
