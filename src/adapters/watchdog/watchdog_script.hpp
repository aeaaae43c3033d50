// The one script that the watchdog runs on hosts, and within it the one that a timer runs.
#pragma once
#include <string>

namespace hitless::watchdog {

// $1 verb, then
//   probe [node socket backend server]…   prints "systemd" or "process", then a line per target:
//                                         "acts", "no check", "no tool", "no answer" or "no server"
//   arm key generation seconds epoch instance rollout service port at [node socket backend server]…
//   disarm key epoch
//   alarms key…    prints five lines for each: instance, rollout, at, what, milliseconds
//   clear key…
[[nodiscard]] std::string watchdog_script();

inline constexpr int watchdog_newer = 94;  // arm: a timer of a higher epoch is there

}  // namespace hitless::watchdog
