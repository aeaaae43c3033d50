// Bugs that the simulator plants in the core to see whether its rules find them
// (docs/SIMULATOR.md).
//
// In the product HITLESS_PLANTED(x) is the constant false and none of this exists; the simulator
// compiles the core's sources once more with HITLESS_SIM, and one bug at a time is switched on.
#pragma once

#ifdef HITLESS_SIM
namespace hitless::core::planted {

enum class Bug {
  none,
  takeover_frees_slot,       // what was taken out is forgotten with the controller
  resume_assumes_done,       // a pending act counts as carried out after a takeover
  takeover_keeps_readings,   // what the old controller saw is trusted by the new one
  unknown_counts_as_in,      // an instance that cannot be seen serves
  floor_ignores_intents,     // an open intent is not counted as out
  rollback_ignores_floor,    // rolling back takes out whatever it likes
  act_without_precondition,  // the load balancer is not looked at before acting
  lb_count_only,             // the host's own sockets are not asked
  missing_count_is_zero,     // no count at all passes for no connection
  forgotten_drain_ignored,   // a drain that the load balancer lost is not told again
  rejoin_without_check,      // back in rotation without the load balancer's own check
  no_incident,               // quarantined without telling anybody
  unproven_is_proven,        // an indeterminate reading of the service passes for proof
  unknown_health_passes,     // a probe without answer counts as a pass
  takes_over_foreign,        // what someone else took out is worked on and put back
  lost_reload_judged,        // a reload that may never have been asked for is judged by what runs
  old_answers_judged,        // what the old workers still answer is held against the new ones
};
inline Bug active = Bug::none;

}  // namespace hitless::core::planted
#define HITLESS_PLANTED(name) \
  (::hitless::core::planted::active == ::hitless::core::planted::Bug::name)
#else
#define HITLESS_PLANTED(name) false
#endif
