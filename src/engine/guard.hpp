// What a rollout holds while it runs: the lease on its service, and a watchdog timer for each
// instance that is out by its hand. Both are kept alive in the background.
//
// Invariants: no load balancer is told anything without asking the host whether our epoch still
// holds (rule I4); no instance is drained before its timer is armed (rule I7). A lease that another
// controller took is lost for good: the rollout must end.
// After a crash the lease runs out and the timers fire: that is what they are for.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/state.hpp"
#include "ports/coordination.hpp"
#include "ports/watchdog.hpp"

namespace hitless::engine {

struct GuardParts {
  ports::Coordination* coordination = nullptr;  // null: the caller's file lock is all there is
  ports::Watchdog* watchdog = nullptr;          // null: none, by policy
  ports::Claimant claimant;
};

class Guard {
 public:
  explicit Guard(GuardParts parts) : parts_(std::move(parts)) {}
  ~Guard();
  Guard(const Guard&) = delete;

  // Takes the service; the epoch is above `at_least`.
  Task<Result<std::int64_t>> take(std::int64_t at_least);
  // Renews and re-arms in the background. `out`: who is out by our hand now, and for how long its
  // drain may still take. `on_lost`: another controller has the service.
  struct Out {
    core::InstanceId instance;
    DurationMs drain_left_ms = 0;
  };
  Task<void> keep(std::function<std::vector<Out>()> out, std::function<void(Error)> on_lost);
  // Ends the background work and gives the lease back.
  Task<void> stop();

  // False: no lease is held on the hosts, so they have nothing to compare an epoch with.
  [[nodiscard]] bool fences() const { return parts_.coordination != nullptr; }
  // False: no timers, by policy.
  [[nodiscard]] bool has_timers() const { return parts_.watchdog != nullptr; }
  // Where a reboot of the host has wiped our claim, it is taken anew.
  Task<Status> check(core::InstanceId instance);
  // After an operation that the host refused: true when it was because our claim had been wiped
  // there, and it is there again. Nothing was started then.
  Task<bool> takes_anew(core::InstanceId instance);
  Task<Status> arm(Out out);
  // In the background, for one that is about to be drained: arm() then has nothing left to do, as
  // long as the timer lasts for the whole drain. It is kept alive until then; whom no drain came
  // for is disarmed by settle() and stop().
  Task<void> arm_ahead(Out out);
  // The controller that is gone may have armed this one ahead: disarmed soon, in the background.
  void inherit(core::InstanceId instance);
  // Before the end is durable: nobody takes an ended rollout over, so its timers must be gone. Only
  // those stay whose instances are out. Nothing is armed ahead any more.
  Task<void> settle();
  // What timers did while no controller was there, as entries for the journal; clear_alarms() once
  // they are durable.
  Task<std::vector<core::Event>> alarms();
  Task<void> clear_alarms();
  // Best effort: a timer that stays finds nothing to put back.
  Task<void> disarm(core::InstanceId instance);
  // In the background, off the path of the rollout; stop() waits for it.
  void disarm_soon(core::InstanceId instance);

 private:
  struct Keeping;
  static Task<void> arm_in_background(std::shared_ptr<Keeping> keeping, Out out);
  static Task<void> forget_soon(std::shared_ptr<Keeping> keeping);
  static Task<void> keep_loop(std::shared_ptr<Keeping> keeping);

  GuardParts parts_;
  std::vector<core::InstanceId> alarmed_;
  std::int64_t epoch_ = 0;
  DurationMs ttl_ms_ = 0;
  std::shared_ptr<Keeping> keeping_;
};

}  // namespace hitless::engine
