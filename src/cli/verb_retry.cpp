// retry: the same intent for what a rollout failed on, rolled back or did not come to.
#include "cli/pick_rollout.hpp"
#include "cli/planned_run.hpp"

namespace hitless::cli {

int verb_retry(App& app) {
  auto found = pick_with_state(app, Pick::ended);
  if (!found) return failed(app, found.error());
  const ports::RolloutRow& row = found->row;
  PlannedRun wanted;
  wanted.service = row.service;
  wanted.options = engine::options_of(found->state.plan);
  wanted.options.limit.clear();
  for (const core::Instance& instance : found->state.instances) {
    const core::PhaseName phase = core::name_of(instance.phase);
    const bool done = phase == core::PhaseName::done;
    // Left alone by the plan itself; what was out by someone else's hand is asked about again.
    const bool by_plan = !instance.plan.skip_reason.empty();
    if (!done && !by_plan) wanted.options.limit.push_back(instance.plan.id.value);
  }
  if (wanted.options.limit.empty()) {
    return failed(app, Error{ErrorCode::refused,
                             row.rollout + " left nothing undone",
                             {},
                             "start a new rollout: hitless " + row.intent + " " + row.service});
  }
  return run_planned(app, wanted);
}

}  // namespace hitless::cli
