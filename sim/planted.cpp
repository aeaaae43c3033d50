#include "sim/planted.hpp"

#include <array>

namespace hitless::sim {
namespace {

using C = core::planted::Bug;
using S = ShellBug;

constexpr PlantedBug in_core(C bug, std::string_view name, std::string_view what) {
  return {bug, S::none, name, what};
}
constexpr PlantedBug in_shell(S bug, std::string_view name, std::string_view what) {
  return {C::none, bug, name, what};
}

constexpr std::array kBugs{
    in_core(C::takeover_frees_slot, "takeover-frees-slot",
            "what the dead controller took out is forgotten"),
    in_core(C::resume_assumes_done, "resume-assumes-done", "a pending act counts as carried out"),
    in_core(C::takeover_keeps_readings, "takeover-keeps-readings",
            "the old controller's readings are trusted"),
    in_core(C::unknown_counts_as_in, "unknown-counts-as-in",
            "an instance that cannot be seen serves"),
    in_core(C::floor_ignores_intents, "floor-ignores-intents", "open intents do not count as out"),
    in_core(C::rollback_ignores_floor, "rollback-ignores-floor",
            "rolling back takes out what it likes"),
    in_core(C::act_without_precondition, "act-without-precondition",
            "the load balancer is not asked before acting"),
    in_core(C::lb_count_only, "lb-count-only", "drained by the load balancer's count alone"),
    in_core(C::missing_count_is_zero, "missing-count-is-zero", "no count passes for no connection"),
    in_core(C::forgotten_drain_ignored, "forgotten-drain-ignored",
            "a drain lost in a reload is not told again"),
    in_core(C::rejoin_without_check, "rejoin-without-check",
            "back without the load balancer's check"),
    in_core(C::no_incident, "no-incident", "quarantined without an incident"),
    in_core(C::unproven_is_proven, "unproven-is-proven",
            "an indeterminate reading passes for proof"),
    in_core(C::unknown_health_passes, "unknown-health-passes", "a probe without answer is a pass"),
    in_core(C::takes_over_foreign, "takes-over-foreign", "what someone else took out is put back"),
    in_core(C::lost_reload_judged, "lost-reload-judged",
            "a reload that nobody asked for is judged by what runs"),
    in_core(C::old_answers_judged, "old-answers-judged",
            "what old workers answer is held against the new ones"),
    in_shell(S::journal_after_effect, "journal-after-effect",
             "the intent is written after the dispatch"),
    in_shell(S::no_host_fence, "no-host-fence", "hosts take operations of any epoch"),
    in_shell(S::no_lb_check, "no-lb-check", "commands go out without asking for the epoch"),
    in_shell(S::no_lease_check, "no-lease-check", "an expired lease does not stop anybody"),
    in_shell(S::unconditional_restart, "unconditional-restart", "whatever runs is restarted"),
    in_shell(S::retry_with_new_id, "retry-with-new-id",
             "an act without answer is sent again under a new id"),
    in_shell(S::watchdog_not_armed, "watchdog-not-armed",
             "nobody puts it back when all controllers die"),
    in_shell(S::watchdog_not_disarmed, "watchdog-not-disarmed",
             "it puts back what was quarantined"),
    in_shell(S::late_readings, "late-readings",
             "a reading from before an effect's end is taken in"),
    in_shell(S::torn_tail_accepted, "torn-tail-accepted", "half a transaction is read as whole"),
    in_shell(S::stale_journal_read, "stale-journal-read", "a takeover reads a replica that lags"),
    in_shell(S::zombies_not_awaited, "zombies-not-awaited",
             "operations still running are not waited for"),
    in_shell(S::takeover_without_waiting, "takeover-without-waiting",
             "a lease that lives is taken"),
    in_shell(S::old_epoch_appends, "old-epoch-appends",
             "the journal takes entries of an old epoch"),
    in_shell(S::unsafe_put_back, "unsafe-put-back", "a broken journal puts back what was changed"),
};

}  // namespace

std::span<const PlantedBug> planted_bugs() {
  return kBugs;
}

void plant(const PlantedBug& bug) {
  core::planted::active = bug.core;
  planted_shell_bug = bug.shell;
}

}  // namespace hitless::sim
