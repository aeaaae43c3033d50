// Approvals of plans, and what a plan needs before it runs.
//
// An approval is bound to the plan's hash and to the fingerprint of the state that it stands on; it
// ends with kApprovalValidMs, counts once, and is never by whoever asked for the plan. It is a
// durable fact in the journal's database; it is marked as used there before the rollout begins,
// under the lock of the service, so that a crash in between uses it up and two runs cannot share
// it.
//
// A plan file can be edited, so that its proposer says nothing: who asked is noted in the same
// database when the plan is made, under the plan's hash, and that note counts (note_proposal).
//
// How strong an identity is: as strong as the accounts of the machine. Whoever can write the state
// folder can forge one (docs/AGENT.md).
#pragma once
#include <optional>
#include <string>

#include "cli/app.hpp"
#include "cli/plan_file.hpp"
#include "fleet/fleet.hpp"
#include "ports/journal.hpp"

namespace hitless::cli {

inline constexpr DurationMs kApprovalValidMs = 15 * 60 * 1000;
// A plan waits for its approval so long; its age does not matter then, only whether it still fits.
inline constexpr DurationMs kAwaitingApprovalMs = 4 * 60 * 60 * 1000;

struct Approval {
  std::string plan_hash, fingerprint;  // the latter: digest of the plan's fingerprint
  std::string approver;
  TimeMs at = 0, expires_at = 0;
  std::string used_by;  // rollout; empty: not yet
};

// The person at the command line: who called sudo, if anybody did. "alice@ctl1"
[[nodiscard]] std::string person_name();
[[nodiscard]] std::string digest_of(const engine::Fingerprint& fingerprint);

// Once for each plan: another note under the same hash is refused.
[[nodiscard]] Status note_proposal(ports::Journal& journal, const SavedPlan& saved);
// Does the plan file say what was noted?
[[nodiscard]] Status check_proposal(ports::Journal& journal, const SavedPlan& saved);

[[nodiscard]] std::optional<Approval> find_approval(ports::Journal& journal,
                                                    const std::string& plan_hash);
// Refuses who asked for the plan themselves, and plans that are too old.
[[nodiscard]] Result<Approval> approve(ports::Journal& journal, const SavedPlan& saved,
                                       const std::string& approver, bool own_agent_is_fine);
// Is there an approval that lets this plan run now? Says what is wrong otherwise.
[[nodiscard]] Status check_approval(ports::Journal& journal, const SavedPlan& saved);
[[nodiscard]] Status use_approval(ports::Journal& journal, const SavedPlan& saved);

// The lowest level that the policies of these services give to the intent.
[[nodiscard]] fleet::Autonomy autonomy_of(const fleet::Fleet& fleet,
                                          const std::vector<std::string>& services,
                                          core::Intent intent);
[[nodiscard]] std::string_view name_of(fleet::Autonomy autonomy);

enum class Needs { nothing, approval, person };
// For people an unset level means what it always meant; for agents it means an approval.
[[nodiscard]] Needs needs_of(fleet::Autonomy autonomy, bool agent);

}  // namespace hitless::cli
