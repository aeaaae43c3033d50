// Whether a client noticed: the steady clients of `prober:` in the fleet file and the counters
// around them, from before a rollout until after its soak; at the end the zero-drop certificate.
//
//   Clients clients(fleet, wiring);
//   co_await clients.baseline();  or, for a rollout taken over,  clients.take_over(state, last);
//   clients.saw(event) for each journal entry;   co_await clients.soak();
//   co_await clients.finish();
//
// Never a reason to stop a rollout: what does not work is a reason of the certificate. After a
// crash nothing of it is left; whoever takes the rollout over says so.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cli/counter_loops.hpp"
#include "cli/wiring.hpp"
#include "core/state.hpp"
#include "fleet/fleet.hpp"

namespace hitless::cli {

class Clients {
 public:
  // `wiring` is of the service that is rolled out.
  Clients(const fleet::Fleet& fleet, const Wiring& wiring);

  [[nodiscard]] bool configured() const { return session_ != nullptr; }
  // Starts them; returns when enough was seen before the rollout.
  Task<void> baseline();
  // Starts them in mid-rollout; nobody watched since `last_seen`.
  Task<void> take_over(core::State state, TimeMs last_seen);
  void saw(const core::Event& event);
  Task<void> soak();
  void hurry() { hurried_ = true; }        // no more soak
  [[nodiscard]] std::string line() const;  // empty: none configured
  // How long finish() may wait for counters that lag; 0: not at all.
  [[nodiscard]] DurationMs late_ms() const {
    return touched_ && !hurried_ && counters_ ? counters_->lag_ms() : 0;
  }
  // Waits for what is in flight. Always to be called after a start, also when the rollout failed.
  Task<witness::Watched> finish();

 private:
  Task<void> start();
  Task<witness::Executions> ask_all();
  [[nodiscard]] bool enough() const;

  std::unique_ptr<witness::Session> session_;  // null: none configured
  std::unique_ptr<CounterLoops> counters_;
  std::vector<witness::ExecutionsSource> executions_;
  std::int64_t probers_ = 0;
  DurationMs baseline_ms_ = 0, soak_ms_ = 0;
  bool touched_ = false;  // the rollout's window has begun
  bool hurried_ = false;
  std::string gap_;  // what nobody watched
};

}  // namespace hitless::cli
