// May this rollout begin? The kill switch, the policy's autonomy, freezes, windows, approvals and
// the budget of agents, in one place, asked by every verb that starts one; the engine's own rules
// come after it.
#pragma once
#include <string>

#include "cli/planned_run.hpp"
#include "cli/rollout_session.hpp"

namespace hitless::cli {

struct Permission {
  bool by_approval = false;  // which has to be used up before the rollout begins
  std::string actor;         // as the journal names who did it
};
// Refusals are what the user sees, with what to do.
[[nodiscard]] Result<Permission> permission_of(RolloutSession& session, const PlannedRun& wanted);

// Rollouts that agents began within the last hour and that concern the service: its own, and those
// of whole hosts where it lives, under whatever service's name.
[[nodiscard]] std::int64_t agent_actions_of_last_hour(ports::Journal& journal,
                                                      const std::string& service, TimeMs now);
inline constexpr std::string_view kAgentActor = "agent ";  // how the actor of an agent begins

}  // namespace hitless::cli
