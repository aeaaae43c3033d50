// restart, reload, apply: plan, confirm, run, tell.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/service_lock.hpp"
#include "base/text.hpp"
#include "cli/app.hpp"
#include "cli/card.hpp"
#include "cli/clients.hpp"
#include "cli/hands.hpp"
#include "cli/load.hpp"
#include "cli/notifying.hpp"
#include "cli/plan_file.hpp"
#include "cli/progress.hpp"
#include "cli/screen_plan.hpp"
#include "cli/wiring.hpp"
#include "core/names.hpp"
#include "engine/run_loop.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kTickMs = 200;

struct Session {
  App* app = nullptr;
  Wiring* wiring = nullptr;  // lives as long as the run
  std::vector<std::unique_ptr<ports::Sink>> sinks;
  std::unique_ptr<journal::SqliteJournal> journal;
  std::unique_ptr<Clients> clients;
  engine::PlanDraft draft;
  std::optional<SavedPlan> saved;
  engine::Wishes wishes;
  std::vector<core::Entry> entries;
  int exit_code = kError;
};

core::Intent intent_of(const std::string& word) {
  if (word == "reload") return core::Intent::reload;
  return word == "apply" ? core::Intent::apply : core::Intent::restart;
}

engine::PlanOptions plan_options(const App& app, core::Intent intent) {
  engine::PlanOptions options;
  options.intent = intent;
  options.limit = app.options.limit;
  options.canary = app.options.canary;
  options.at_once = app.options.at_once;
  return options;
}

// Only a person at a terminal can be asked; a script says --yes.
std::optional<int> confirm(const App& app) {
  if (app.options.yes) return std::nullopt;
  const bool can_ask = isatty(STDIN_FILENO) == 1 && app.err.is_tty && !app.options.no_input;
  if (!can_ask) {
    return failed(app,
                  Error{ErrorCode::refused,
                        "nobody here to confirm",
                        {},
                        "pass --yes to go ahead without asking"},
                  kUsage);
  }
  fmt::print(stderr, "Go ahead? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return std::nullopt;
  fmt::print(stderr, "Nothing was done.\n");
  return kAborted;
}

// A saved plan runs only while everything it stands on is as it was.
std::optional<int> check_stale(const App& app, const SavedPlan& saved,
                               const engine::PlanDraft& now) {
  if (wall_now_ms() - saved.saved_at > kPlanValidMs) {
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

Task<void> tick(Progress* progress, bool* running) {
  while (*running) {
    progress->on_tick(wall_now_ms());
    co_await sleep_for(kTickMs);
  }
}

// First Ctrl-C: stop at the next safe point. Second: abort and roll back.
void on_interrupt(Session* session, int* presses) {
  ++*presses;
  const bool first = *presses == 1;
  session->wishes.push(first ? core::OperatorWish::stop : core::OperatorWish::abort, actor_name());
}

Task<std::optional<int>> prepare(Session* session) {
  App& app = *session->app;
  const engine::PlanOptions options = session->saved
                                          ? engine::options_of(session->saved->plan)
                                          : plan_options(app, intent_of(app.options.verb));
  auto draft = co_await engine::make_plan(&session->wiring->parts, options);
  if (!draft)
    co_return failed(app, draft.error(),
                     draft.error().code == ErrorCode::invalid ? kUsage : kError);
  session->draft = std::move(*draft);
  if (session->saved) {
    if (auto code = check_stale(app, *session->saved, session->draft)) co_return code;
    session->draft.plan = session->saved->plan;
  }
  core::Plan& plan = session->draft.plan;
  plan.hash = journal::hash_plan(plan);
  if (!app.options.json && app.options.progress != ProgressKind::quiet) {
    fmt::print(
        stderr, "{}\n\n",
        plan_screen(session->draft, session->wiring->pool_texts(), app.err, app.options.dry_run));
  }
  if (app.options.dry_run) co_return kOk;
  if (session->draft.blocking() == nullptr) co_return confirm(app);
  co_return std::nullopt;  // it will be blocked, and the journal says so
}

Task<Result<core::State>> run_with_progress(Session* session) {
  App& app = *session->app;
  ProgressContext context;
  context.terminal = app.options.json ? app.out : app.err;
  context.stream = app.options.json ? stdout : stderr;
  context.clients = [session] {
    return session->clients ? session->clients->line() : std::string();
  };
  context.entry_as_json = [](const core::Entry& entry) {
    return fmt::format("{{\"seq\":{},\"at\":\"{}\",\"event\":{}}}", entry.seq,
                       format_timestamp(entry.at), journal::event_to_json(entry.event));
  };
  auto progress = make_progress(app.options.json ? ProgressKind::json : app.options.progress,
                                std::move(context));
  bool running = true;
  int presses = 0;
  auto catcher =
      co_await SignalCatcher::start([session, &presses](int) { on_interrupt(session, &presses); });
  co_await detach(tick(progress.get(), &running));

  engine::RunContext run;
  run.parts = &session->wiring->parts;
  run.journal = session->journal.get();
  run.plan = session->draft.plan;
  run.actor = actor_name();
  run.wishes = &session->wishes;
  run.on_entry = [session, shown = progress.get()](const core::Entry& entry,
                                                   const core::State& after) {
    session->entries.push_back(entry);
    shown->on_entry(entry, after);
  };
  auto state = co_await engine::run_rollout(std::move(run));
  running = false;
  co_await sleep_for(kTickMs + 50);  // the ticker sees it and ends before the screen goes
  progress->finish();
  co_return state;
}

Task<void> conclude(Session* session, core::State state) {
  App& app = *session->app;
  CardExtras extras;
  if (session->clients) extras.clients = session->clients->finish();
  if (!session->sinks.empty()) {
    auto notification =
        ended_notification(*session->journal, state, session->entries, extras.clients);
    SendReport sent = co_await send_all(app, &session->sinks, std::move(notification));
    extras.sent = std::move(sent.lines);
  }
  const core::RolloutResult result = *state.ended;
  session->exit_code = exit_code_of(result);
  if (app.options.json) {
    fmt::print("{{\"rollout\":\"{}\",\"result\":\"{}\",\"exit_code\":{}}}\n", state.plan.rollout,
               core::to_string(result), session->exit_code);
  } else {
    fmt::print("{}", result_card(state, extras, app.out));
  }
}

Task<void> session_main(Session* session) {
  App& app = *session->app;
  if (auto code = co_await prepare(session)) {
    session->exit_code = *code;
    co_return;
  }
  if (!session->sinks.empty()) {
    SendReport sent = co_await send_all(app, &session->sinks,
                                        started_notification(session->draft.plan, actor_name()));
    if (sent.required_failed) {
      session->exit_code =
          failed(app,
                 Error{ErrorCode::refused,
                       "a required notification sink does not answer; nothing was touched",
                       {},
                       "mend it, or set `required: false`; `hitless doctor` tests it"},
                 kBlocked);
      co_return;
    }
  }
  if (session->clients) session->clients->start();
  auto state = co_await run_with_progress(session);
  if (!state) {
    session->exit_code = failed(app, state.error(), kHumanNeeded);
    co_return;
  }
  co_await conclude(session, std::move(*state));
}

}  // namespace

int verb_rollout(App& app) {
  Session session;
  session.app = &app;
  if (!app.options.plan_file.empty()) {
    auto saved = load_plan(app.options.plan_file);
    if (!saved) return failed(app, saved.error());
    app.options.service = saved->plan.service;
    session.saved = std::move(*saved);
  }
  if (app.options.service.empty()) {
    return failed(
        app,
        Error{ErrorCode::invalid, "which service?", {}, "hitless " + app.options.verb + " SERVICE"},
        kUsage);
  }
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return kConfig;
  auto wiring = wire(*fleet, app.options.service);
  if (!wiring) return failed(app, wiring.error(), kConfig);
  if (!app.options.no_notify) {
    auto sinks = wire_sinks(*fleet);
    if (!sinks) return failed(app, sinks.error(), kConfig);
    session.sinks = std::move(*sinks);
  }
  auto journal = open_journal(app, true);
  if (!journal) return failed(app, journal.error());
  session.journal = std::move(*journal);
  auto lock = journal::ServiceLock::acquire(state_dir(app), app.options.service,
                                            actor_name() + ", " + app.options.verb);
  if (!lock) return failed(app, lock.error(), kBlocked);
  session.clients = make_clients(*fleet);
  for (const auto& [id, hand] : find_hands(*session.journal, app.options.service).out)
    (*wiring)->parts.left_out.push_back(id);
  run_with(std::move(*wiring), [&session](Wiring* w) {
    session.wiring = w;
    return session_main(&session);
  });
  return session.exit_code;
}

}  // namespace hitless::cli
