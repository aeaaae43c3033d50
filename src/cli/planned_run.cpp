#include "cli/planned_run.hpp"

#include <fmt/format.h>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/approvals.hpp"
#include "cli/confirm.hpp"
#include "cli/kill_switch.hpp"
#include "cli/permission.hpp"
#include "cli/rollout_session.hpp"
#include "cli/screen_plan.hpp"
#include "cli/waiting.hpp"
#include "core/names.hpp"

namespace hitless::cli {
namespace {

// A saved plan runs only while everything it stands on is as it was.
// One that has its approval may be older: that has an end of its own.
std::optional<int> check_stale(const App& app, const SavedPlan& saved, DurationMs valid_ms,
                               const engine::PlanDraft& now) {
  if (wall_now_ms() - saved.saved_at > valid_ms) {
    return failed(app,
                  Error{ErrorCode::refused,
                        "the plan is stale: it was saved " +
                            format_duration(wall_now_ms() - saved.saved_at) + " ago",
                        app.options.plan_file,
                        "make a new one with `hitless plan " + saved.plan.service + "`"},
                  kStalePlan);
  }
  const std::vector<std::string> moved = engine::what_moved(saved.fingerprint, now.fingerprint);
  if (moved.empty()) return std::nullopt;
  print_error(app, Error{ErrorCode::refused, "the plan is stale: what it stands on has moved",
                         app.options.plan_file,
                         "look at the changes, then make a new plan with `hitless plan " +
                             saved.plan.service + "`"});
  for (const std::string& line : moved) fmt::print(stderr, "   - {}\n", escape_for_terminal(line));
  return kStalePlan;
}

// Empty: go on. A rollout that was cut off has instances out or half changed; no new one may start
// before it has ended well.
Task<std::optional<int>> finish_cut_off(RolloutSession* session) {
  App& app = *session->app;
  const std::string service = session->wiring->parts.name;
  co_await send_what_is_due(session, service);
  for (const ports::RolloutRow& row :
       cut_off(*session->journal, session->wiring->service_names())) {
    const bool of_hosts = core::works_on_hosts(core::intent_named(row.intent));
    // A permission to begin this plan is none to go on with what somebody else began: an agent
    // leaves that to people, with whatever policy, approval and budget that rollout needed.
    const bool agent = !app.options.agent.empty();
    if (agent || row.service != service || of_hosts == session->wiring->members.empty()) {
      co_return failed(
          app,
          Error{ErrorCode::refused,
                row.rollout + " (" + row.intent + " of " + row.service + ") was cut off",
                {},
                "it has to end first: hitless resume " + row.rollout},
          kBlocked);
    }
    fmt::print(stderr, "{} ({}, started {}) was cut off: it is finished first.\n", row.rollout,
               row.intent, format_timestamp(row.started_at));
    if (auto code = confirm(app)) co_return code;
    co_await run_again(session, row.rollout);
    if (session->exit_code == kOk) continue;
    fmt::print(stderr, "Nothing new was started. Next: hitless show {}\n", row.rollout);
    co_return session->exit_code;
  }
  co_return std::nullopt;
}

Task<std::optional<int>> prepare(RolloutSession* session, const PlannedRun* wanted,
                                 core::Plan* plan, engine::RecentPreflights* preflights,
                                 bool by_approval) {
  App& app = *session->app;
  if (!app.options.dry_run) {
    if (auto code = co_await finish_cut_off(session)) co_return code;
  }
  if (wanted->before_plan) {
    if (Status ready = co_await wanted->before_plan(session->wiring); !ready)
      co_return failed(app, ready.error());
  }
  Waiting waiting(app, looking_at(*session->wiring));
  auto draft = co_await engine::make_plan(&session->wiring->parts, wanted->options);
  waiting.done();
  if (!draft)
    co_return failed(app, draft.error(),
                     draft.error().code == ErrorCode::invalid ? kUsage : kError);
  if (wanted->saved) {
    const DurationMs valid_ms = by_approval ? kAwaitingApprovalMs + kApprovalValidMs : kPlanValidMs;
    if (auto code = check_stale(app, *wanted->saved, valid_ms, *draft)) co_return code;
    draft->plan = wanted->saved->plan;
  }
  draft->plan.hash = journal::hash_plan(draft->plan);
  *plan = draft->plan;
  *preflights = draft->preflights();
  if (!app.options.json && app.options.progress != ProgressKind::quiet) {
    fmt::print(stderr, "{}\n\n",
               plan_screen(*draft, session->wiring->pool_texts(), app.err, app.options.dry_run));
  }
  if (app.options.dry_run) co_return kOk;
  if (draft->blocking() == nullptr) co_return confirm(app);
  co_return std::nullopt;  // it will be blocked, and the journal says so
}

Task<void> plan_and_run(RolloutSession* session, const PlannedRun* wanted) {
  core::Plan plan;
  engine::RecentPreflights preflights;
  Permission permission;
  if (!session->app->options.dry_run) {
    auto given = permission_of(*session, *wanted);
    if (!given) {
      session->exit_code = failed(*session->app, given.error(), kBlocked);
      co_return;
    }
    permission = std::move(*given);
  }
  session->actor = permission.actor;
  // What a gate complains of may be what is to be taken back.
  if (wanted->safe_direction)
    std::erase_if(session->wiring->parts.dependencies, [](const auto& each) { return each.gate; });
  if (auto code = co_await prepare(session, wanted, &plan, &preflights, permission.by_approval)) {
    session->exit_code = *code;
    co_return;
  }
  // Looked at once more: somebody may have thought about it for long.
  Status ok = check_kill_switch(state_dir(*session->app));
  if (ok && permission.by_approval) ok = use_approval(*session->journal, *wanted->saved);
  if (!ok) {
    session->exit_code = failed(*session->app, ok.error(), kBlocked);
    co_return;
  }
  // Who reads of it later sees the words that it came from.
  const std::string& asked = session->app->options.asked;
  if (!asked.empty()) {
    if (Status kept = session->journal->put_fact(std::string(kAsked) + plan.rollout, asked);
        !kept) {
      session->exit_code = failed(*session->app, kept.error());
      co_return;
    }
  }
  co_await run_new(session, std::move(plan), std::move(preflights));
}

}  // namespace

int run_planned(App& app, const PlannedRun& wanted) {
  RolloutSession session;
  Opened opened = open_session(session, app, wanted.service, wanted.options.intent, wanted.sources);
  if (opened.wiring == nullptr) return opened.exit_code;
  run_with(std::move(opened.wiring), [&](Wiring* w) {
    session.wiring = w;
    return plan_and_run(&session, &wanted);
  });
  return session.exit_code;
}

}  // namespace hitless::cli
