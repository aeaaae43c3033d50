// The bugs that can be planted, in the core (core/planted.hpp) and in the simulator's own shell
// around it (the part that src/engine and the adapters play in the product).
#pragma once
#include <span>
#include <string_view>

#include "core/planted.hpp"

namespace hitless::sim {

enum class ShellBug {
  none,
  journal_after_effect,      // the intent is written after the effect was dispatched
  no_host_fence,             // hosts take operations of any epoch
  no_lb_check,               // commands to the load balancer go out without asking for the epoch
  no_lease_check,            // a controller that slept past its lease goes on, and so do hosts
  unconditional_restart,     // the host restarts whatever runs there
  retry_with_new_id,         // an act without an answer is sent again under another id
  watchdog_not_armed,        //
  watchdog_not_disarmed,     //
  late_readings,             // what was read before an effect ended is taken in after it
  torn_tail_accepted,        // half a transaction at the journal's end is read as if it were whole
  stale_journal_read,        // a takeover reads a replica that lags
  zombies_not_awaited,       // a takeover does not wait for operations still running on hosts
  takeover_without_waiting,  // a lease of another home is taken while it lives
  old_epoch_appends,         // the journal takes entries of a controller that was replaced
  unsafe_put_back,           // a broken journal makes it put back what it had changed
};

struct PlantedBug {
  core::planted::Bug core = core::planted::Bug::none;
  ShellBug shell = ShellBug::none;
  std::string_view name;
  std::string_view what;
};
[[nodiscard]] std::span<const PlantedBug> planted_bugs();

// Switches one on, and all others off. The default takes every bug out.
void plant(const PlantedBug& bug = {});

inline ShellBug planted_shell_bug = ShellBug::none;
[[nodiscard]] inline bool planted(ShellBug bug) {
  return planted_shell_bug == bug;
}

}  // namespace hitless::sim
