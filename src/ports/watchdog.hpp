// Watchdog port: what happens to an instance that we took out when no controller is left alive.
//
// arm() starts a timer that runs without us (on the load balancer node's host and on the
// instance's). It is armed before the drain is told, armed again while the controller lives, and
// disarmed after the rejoin. When it fires it raises an alarm on its host, and where the load
// balancer's own health check guards the target it puts the target back. Arming again moves the
// end. After a crash the timer goes on: that is its purpose.
#pragma once
#include <string>
#include <vector>

#include "base/error.hpp"
#include "core/types.hpp"
#include "runtime/task.hpp"

namespace hitless::ports {

struct WatchdogOrder {
  core::InstanceId instance;
  std::string rollout;
  std::int64_t epoch = 0;
  DurationMs after_ms = 0;  // it fires this long from now unless armed again or disarmed
};

// What it left on a host when it fired; for `status`, the journal and the incident.
struct WatchdogAlarm {
  core::InstanceId instance;
  std::string rollout;
  std::string at;    // where it was left: "lb-1", "web01"
  std::string what;  // "put back into be_web" or "flagged: no health check guards it"
  TimeMs fired_at = 0;
};

class Watchdog {
 public:
  virtual ~Watchdog() = default;
  // One line for the plan: "systemd timer on lb-1, lb-2 (puts it back), web01 (alarm)". Asks the
  // hosts what they can do, so it tells the truth before anything is armed.
  virtual Task<std::string> describe(core::InstanceId instance) = 0;
  // Fails when a timer could not be set on any host that needs one; what was set stays. Refused
  // when a timer of a higher epoch is there.
  virtual Task<Status> arm(WatchdogOrder order) = 0;
  // Timers that were armed with a higher epoch stay: they are somebody else's.
  virtual Task<Status> disarm(core::InstanceId instance, std::int64_t epoch) = 0;
  virtual Task<Result<std::vector<WatchdogAlarm>>> alarms() = 0;
  // The alarms of this instance were seen and told; forget them.
  virtual Task<Status> clear_alarms(core::InstanceId instance) = 0;
};

}  // namespace hitless::ports
