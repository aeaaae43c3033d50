// Reads the counters of load balancers and hosts about every second while a rollout runs, for the
// certificate. Reads only, and never in the way: each source has a loop of its own, and who is slow
// or gone only makes its own counters stale.
//
// The drivers must live until finish() has returned. Nothing survives a crash.
#pragma once
#include <memory>
#include <vector>

#include "ports/host.hpp"
#include "ports/traffic.hpp"
#include "witness/session.hpp"

namespace hitless::cli {

struct CountedHost {
  ports::Host* host = nullptr;
  std::vector<std::string> instances;  // of the service, on it
};

class CounterLoops {
 public:
  CounterLoops(witness::Session* session, std::vector<ports::Traffic*> pools,
               std::vector<CountedHost> hosts);
  Task<void> start();
  // Asks the instance's host now: what it counts from here on belongs to what begins here.
  void look_at(const std::string& instance);
  // Every source was asked once, whatever came of it.
  [[nodiscard]] bool all_asked() const;
  // The longest that a source's counters lie behind; 0: none does.
  [[nodiscard]] DurationMs lag_ms() const;
  // Asks every source once more and ends the loops; bounded by their deadlines. wait_for_late: asks
  // those that lag until they have counted up to now, but no longer than they are known to lag.
  Task<void> finish(bool wait_for_late);

 private:
  struct Shared;
  struct Loop;
  static Task<void> run(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop);
  static Task<void> read_pool(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop);
  static Task<void> read_host(std::shared_ptr<Shared> shared, std::shared_ptr<Loop> loop);
  std::shared_ptr<Shared> shared_;
  std::vector<std::shared_ptr<Loop>> loops_;
};

}  // namespace hitless::cli
