// rollback: puts back the configuration that a rollout replaced, as a rollout of its own under the
// same rules. One that has not ended is aborted instead, which rolls back too.
#include "base/digest.hpp"
#include "cli/control.hpp"
#include "cli/pick_rollout.hpp"
#include "cli/planned_run.hpp"
#include "cli/planned_sources.hpp"
#include "engine/config_ops.hpp"

namespace hitless::cli {
namespace {

// Runs the new configuration, or may.
bool still_changed(const core::Instance& instance) {
  return instance.config_touched && !instance.config_restored && instance.report;
}

Status removable(const core::State& state) {
  for (const core::Instance& instance : state.instances) {
    if (!still_changed(instance)) continue;
    for (const core::Backup& backup : instance.report->backups) {
      if (backup.existed) continue;
      return fail(ErrorCode::refused,
                  state.plan.rollout + " created " + backup.path + " on " + instance.plan.host +
                      "; there is no earlier content to put back",
                  {}, "take it out of the fleet file and remove it by hand");
    }
  }
  return {};
}

// What is to be installed becomes what was there before, read from the hosts and hash-checked.
Task<Status> aim_at_backups(Wiring* wiring, core::State state) {
  for (engine::InstanceParts& parts : wiring->parts.instances) {
    parts.files.clear();
    const core::Instance* instance = core::find(state, parts.id);
    if (instance == nullptr || !still_changed(*instance)) continue;
    auto contents = co_await engine::read_backups(parts.host, instance->report->backups);
    if (!contents) co_return tl::unexpected<Error>(contents.error());
    for (const core::Backup& backup : instance->report->backups) {
      parts.files.push_back({source_on_host(parts, backup.backup_path), backup.path, "0644",
                             (*contents)[backup.path]});
    }
  }
  co_return Status{};
}

}  // namespace

int verb_rollback(App& app) {
  auto found = pick_with_state(app, Pick::any);
  if (!found) return failed(app, found.error());
  const ports::RolloutRow& row = found->row;
  if (row.result.empty()) {
    app.options.id = row.rollout;
    app.options.verb = "abort";
    return verb_resume(app);
  }
  if (core::works_on_hosts(found->state.plan.intent)) {
    return failed(app, Error{ErrorCode::refused,
                             "a " + row.intent + " that has ended is not rolled back",
                             {},
                             "from a reboot there is no way back; go back to an old version of a "
                             "package with your package manager's pin, then `hitless patch`"});
  }
  PlannedRun wanted;
  wanted.service = row.service;
  wanted.options.intent = core::Intent::apply;
  wanted.sources = Sources::optional;
  wanted.safe_direction = true;
  for (const core::Instance& instance : found->state.instances) {
    if (still_changed(instance)) wanted.options.limit.push_back(instance.plan.id.value);
  }
  if (wanted.options.limit.empty()) {
    return failed(app, Error{ErrorCode::refused,
                             "no instance runs a configuration that " + row.rollout + " installed",
                             {},
                             app.options.id.empty()
                                 ? "the newest rollout was taken; `hitless history` lists those "
                                   "before it, for `hitless rollback ROLLOUT`"
                                 : "`hitless show " + row.rollout + "` says what it did"});
  }
  if (Status possible = removable(found->state); !possible) return failed(app, possible.error());
  wanted.before_plan = [state = found->state](Wiring* wiring) {
    return aim_at_backups(wiring, state);
  };
  return run_planned(app, wanted);
}

}  // namespace hitless::cli
