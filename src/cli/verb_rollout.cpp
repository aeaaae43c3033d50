// restart, reload, apply, reboot, patch: plan, confirm, run, tell.
#include "cli/plan_store.hpp"
#include "cli/planned_run.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

// `restart app` must not do what a plan to apply web says.
std::optional<int> another_plan(const App& app, const core::Plan& plan) {
  const std::string intent(core::to_string(plan.intent));
  const bool same = app.options.verb == intent &&
                    (app.options.service.empty() || app.options.service == plan.service);
  if (same) return std::nullopt;
  return failed(
      app,
      Error{ErrorCode::invalid, "this is a plan to " + intent + " " + plan.service,
            app.options.plan_file, "hitless " + intent + " --plan " + app.options.plan_file},
      kUsage);
}

}  // namespace

int verb_rollout(App& app) {
  PlannedRun wanted;
  if (!app.options.plan_file.empty()) {
    auto saved = load_plan(plan_path(app, app.options.plan_file));
    if (!saved) return failed(app, saved.error());
    if (auto other = another_plan(app, saved->plan)) return *other;
    wanted.service = saved->plan.service;
    wanted.options = engine::options_of(saved->plan);
    wanted.saved = std::move(*saved);
    return run_planned(app, wanted);
  }
  wanted.service = app.options.service;
  if (wanted.service.empty()) {
    return failed(
        app,
        Error{ErrorCode::invalid, "which service?", {}, "hitless " + app.options.verb + " SERVICE"},
        kUsage);
  }
  wanted.options.intent = core::intent_named(app.options.verb);
  wanted.options.limit = app.options.limit;
  wanted.options.canary = app.options.canary;
  wanted.options.at_once = app.options.at_once;
  wanted.options.if_needed = app.options.if_needed;
  wanted.options.packages = app.options.packages;
  wanted.options.without_way_back = app.options.without_way_back;
  return run_planned(app, wanted);
}

}  // namespace hitless::cli
