#include "cli/rollout_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "adapters/journal/codec.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "cli/card.hpp"
#include "cli/certificate_store.hpp"
#include "cli/control.hpp"
#include "cli/evidence_keeper.hpp"
#include "cli/evidence_store.hpp"
#include "cli/failpoint.hpp"
#include "cli/hands.hpp"
#include "cli/kill_switch.hpp"
#include "cli/load.hpp"
#include "cli/loaded_configs.hpp"
#include "cli/notifying.hpp"
#include "cli/pick_rollout.hpp"
#include "cli/planned_sources.hpp"
#include "cli/progress.hpp"
#include "cli/report_store.hpp"
#include "core/names.hpp"
#include "runtime/durable_file.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

void point(const RolloutSession* session, std::string_view name) {
  if (session->point) session->point(name);
}

constexpr DurationMs kTickMs = 200;
constexpr int kLookBack = 50;  // rollouts

struct Ticking {
  bool stop = false, killed = false;
  Signal stopping, ended;
};

// What is in work comes back, nothing more is begun.
void heed_kill_switch(RolloutSession* session, Ticking* ticking) {
  if (ticking->killed) return;
  const KillSwitch found = read_kill_switch(state_dir(*session->app));
  if (!found.engaged) return;
  ticking->killed = true;
  fmt::print(stderr, "the kill switch is {}: stopping at the next safe point\n",
             escape_for_terminal(describe(found)));
  session->clients->hurry();
  session->wishes.push(core::OperatorWish::stop, "kill switch, " + describe(found));
}

Task<void> tick(RolloutSession* session, Progress* progress, Ticking* ticking) {
  while (!ticking->stop) {
    progress->on_tick(wall_now_ms());
    heed_kill_switch(session, ticking);
    (void)co_await ticking->stopping.wait_for(kTickMs);
  }
  ticking->ended.notify();
}

// First Ctrl-C: stop at the next safe point. Second: abort and roll back.
void on_interrupt(RolloutSession* session, int* presses) {
  ++*presses;
  if (session->clients) session->clients->hurry();
  const bool first = *presses == 1;
  session->wishes.push(first ? core::OperatorWish::stop : core::OperatorWish::abort, actor_name());
}

// Whoever holds the file lock of the same machine and state folder knows that an earlier holder
// from there is dead.
std::string home_name(const App& app) {
  const auto machine = read_if_there("/etc/machine-id", 64);
  std::error_code ignored;
  const auto folder = std::filesystem::weakly_canonical(state_dir(app), ignored);
  return (machine && *machine ? std::string(trim(**machine)) : std::string("no-machine-id")) + ":" +
         folder.string();
}

engine::GuardParts guard_of(const RolloutSession& session, const std::string& rollout) {
  engine::GuardParts guard;
  guard.coordination = session.wiring->coordination.get();
  guard.watchdog = session.wiring->watchdog.get();
  guard.claimant = {home_name(*session.app), actor_name(), rollout};
  return guard;
}

ProgressContext progress_context(RolloutSession* session) {
  App& app = *session->app;
  ProgressContext context;
  context.terminal = app.options.json ? app.out : app.err;
  context.stream = app.options.json ? stdout : stderr;
  context.clients = [session] { return session->clients->line(); };
  context.entry_as_json = entry_as_json;
  return context;
}

Task<Result<core::State>> run_with_progress(RolloutSession* session, engine::RunContext run,
                                            std::string rollout) {
  App& app = *session->app;
  auto progress = make_progress(app.options.json ? ProgressKind::json : app.options.progress,
                                progress_context(session));
  Ticking ticking;
  int presses = 0;
  auto catcher =
      co_await SignalCatcher::start([session, &presses](int) { on_interrupt(session, &presses); });
  // Without the socket the rollout runs all the same; only Ctrl-C can stop it then.
  auto control = co_await ControlServer::start(
      state_dir(app), rollout, [session](core::OperatorWish wish, std::string actor) {
        session->wishes.push(wish, std::move(actor));
      });
  if (!control) print_error(app, control.error());
  co_await detach(tick(session, progress.get(), &ticking));

  run.parts = &session->wiring->parts;
  run.journal = session->journal.get();
  run.actor = session->actor.empty() ? actor_name() : session->actor;
  run.guard = guard_of(*session, rollout);
  run.wishes = &session->wishes;
  run.on_point = session->point;
  run.keep_evidence = evidence_keeper(session->wiring, session->journal.get(), rollout);
  run.on_entry = [session, shown = progress.get()](const core::Entry& entry,
                                                   const core::State& after) {
    session->entries.push_back(entry);
    session->clients->saw(entry.event);
    shown->on_entry(entry, after);
  };
  auto state = co_await engine::run_rollout(std::move(run));
  if (state) co_await session->clients->soak();
  ticking.stop = true;
  ticking.stopping.notify();
  (void)co_await ticking.ended.wait_for(kTickMs);  // before the screen goes
  progress->finish();
  co_return state;
}

Task<std::vector<std::string>> notify_ended(RolloutSession* session, const core::State* state,
                                            Told told) {
  if (session->sinks.empty()) co_return std::vector<std::string>{};
  auto notification = ended_notification(*session->journal, *state, session->entries, told);
  point(session, "before notification");
  SendReport sent = co_await send_all(*session->app, &session->sinks, std::move(notification));
  point(session, "after notification");
  // Spooled by now: a crash from here on loses nothing.
  (void)session->journal->put_fact(std::string(kOwed) + state->plan.rollout, "sent");
  co_return std::move(sent.lines);
}

// The verdict of the witness, on disk before anybody is told.
Task<Told> witness_ended(RolloutSession* session, const core::State* state) {
  Told told;
  const bool configured = session->clients->configured();
  if (const DurationMs late = session->clients->late_ms(); late > 0) {
    fmt::print(stderr, "waiting up to {} for the load balancer's counters, which lag\n",
               format_duration(late));
  }
  witness::Watched watched = co_await session->clients->finish();
  if (*state->ended != core::RolloutResult::blocked) told.certificate = watched.certificate;
  const std::string& rollout = state->plan.rollout;
  Status kept;
  if (told.certificate && configured)
    kept = put_certificate(*session->journal, rollout, *told.certificate);
  if (!kept) print_error(*session->app, kept.error());
  told.report = make_report(*state, session->entries, told.certificate, watched.probers);
  kept = keep_report(state_dir(*session->app), rollout, told.report);
  if (!kept) print_error(*session->app, kept.error());
  co_return told;
}

Task<void> conclude(RolloutSession* session, core::State state) {
  App& app = *session->app;
  point(session, "before verdict and report");
  Told told = co_await witness_ended(session, &state);
  CardExtras extras;
  extras.certificate = told.certificate;
  extras.where = diagnose(*session->journal, state).where;
  extras.sent = co_await notify_ended(session, &state, std::move(told));
  const core::RolloutResult result = *state.ended;
  session->exit_code = exit_code_of(result);
  if (app.options.json) {
    fmt::print("{{\"rollout\":\"{}\",\"result\":\"{}\",\"exit_code\":{},\"certificate\":{}}}\n",
               state.plan.rollout, core::to_string(result), session->exit_code,
               extras.certificate ? stored_certificate(*extras.certificate) : "null");
  } else {
    fmt::print("{}", result_card(state, extras, app.out));
  }
}

// Nobody may sleep through a rollout that could not go on.
Task<void> stopped(RolloutSession* session, std::string rollout, Error error) {
  // Not one entry of this run: the lease, or the way to a host, said no before anything was done.
  const bool untouched = session->entries.size() == session->entries_before;
  session->exit_code = failed(*session->app, error, untouched ? kBlocked : kHumanNeeded);
  if (untouched || session->sinks.empty()) co_return;
  SendReport sent =
      co_await send_all(*session->app, &session->sinks, stopped_notification(rollout, error));
  for (const std::string& line : sent.lines)
    fmt::print(stderr, "sent: {}\n", escape_for_terminal(line));
}

// `past`: of a rollout that is taken over; its state and when it was last heard of.
struct Past {
  core::State state;
  TimeMs last_seen = 0;
};

Task<void> run_and_conclude(RolloutSession* session, engine::RunContext run, std::string rollout,
                            std::optional<Past> past = {}) {
  session->clients = std::make_unique<Clients>(*session->fleet, *session->wiring);
  if (past) {
    co_await session->clients->take_over(std::move(past->state), past->last_seen);
  } else {
    co_await session->clients->baseline();
  }
  auto state = co_await run_with_progress(session, std::move(run), rollout);
  if (state) {
    co_await conclude(session, std::move(*state));
    co_return;
  }
  (void)co_await session->clients->finish();
  co_await stopped(session, rollout, state.error());
}

std::string missing_instance(const Wiring& wiring, const core::State& state) {
  for (const core::InstancePlan& instance : state.plan.instances) {
    if (wiring.parts.instances.find(instance.id) == nullptr) return instance.id.value;
  }
  return {};
}

}  // namespace

Opened open_session(RolloutSession& session, App& app, const std::string& service,
                    core::Intent intent, Sources sources) {
  session.app = &app;
  session.point = failpoint();
  auto fleet = load_fleet_or_complain(app);
  if (!fleet) return {nullptr, kConfig};
  auto wiring = wire_for(*fleet, service, intent, sources);
  if (!wiring) return {nullptr, failed(app, wiring.error(), kConfig)};
  remember_loaded_configs(**wiring, state_dir(app));
  if (!app.options.no_notify) {
    auto sinks = wire_sinks(*fleet);
    if (!sinks) return {nullptr, failed(app, sinks.error(), kConfig)};
    session.sinks = std::move(*sinks);
  }
  auto journal = open_journal(app, true);
  if (!journal) return {nullptr, failed(app, journal.error())};
  session.journal = std::move(*journal);
  std::vector<std::string> services = (*wiring)->service_names();
  std::sort(services.begin(), services.end());  // so that two never wait for each other
  for (const std::string& each : services) {
    auto lock =
        journal::ServiceLock::acquire(state_dir(app), each, actor_name() + ", " + app.options.verb);
    if (!lock) return {nullptr, failed(app, lock.error(), kBlocked)};
    session.locks.push_back(std::move(*lock));
  }
  add_left_out(*session.journal, **wiring);
  session.fleet = std::move(fleet);
  return {std::move(*wiring), kOk};
}

Task<void> run_new(RolloutSession* session, core::Plan plan, engine::RecentPreflights preflights) {
  App& app = *session->app;
  if (!session->sinks.empty()) {
    SendReport sent = co_await announce(
        app, &session->sinks,
        started_notification(plan, session->actor.empty() ? actor_name() : session->actor));
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
    if (Status owed = session->journal->put_fact(std::string(kOwed) + plan.rollout, "due"); !owed) {
      session->exit_code = failed(app, owed.error());
      co_return;
    }
  }
  session->entries.clear();
  session->entries_before = 0;
  engine::RunContext run;
  const std::string rollout = plan.rollout;
  run.plan = std::move(plan);
  run.preflights = std::move(preflights);
  co_await run_and_conclude(session, std::move(run), rollout);
}

Task<void> run_again(RolloutSession* session, std::string rollout) {
  App& app = *session->app;
  auto found = replay(*session->journal, rollout);
  if (!found) {
    session->exit_code = failed(app, found.error());
    co_return;
  }
  if (const std::string missing = missing_instance(*session->wiring, found->state);
      !missing.empty()) {
    session->exit_code = failed(
        app,
        Error{ErrorCode::refused, missing + " of " + rollout + " is no longer in the fleet file",
              app.options.fleet_file, "put it back there until the rollout has ended"},
        kConfig);
    co_return;
  }
  co_await take_sources_from_hosts(session->wiring, found->state);
  if (const std::string source = changed_source(*session->wiring, found->state); !source.empty()) {
    fmt::print(stderr, "{} is not what {} was planned with: rolling back\n",
               escape_for_terminal(source), rollout);
    session->wishes.push(core::OperatorWish::abort, actor_name() + " (source changed)");
  }
  // Who asks to go on does not want it to stay paused.
  if (found->state.paused) session->wishes.push(core::OperatorWish::resume, actor_name());
  engine::RunContext run;
  run.past = found->entries;
  session->entries = std::move(found->entries);
  session->entries_before = session->entries.size();
  Past past{std::move(found->state), session->entries.back().at};
  co_await run_and_conclude(session, std::move(run), rollout, std::move(past));
}

std::vector<ports::RolloutRow> cut_off(ports::Journal& journal,
                                       const std::vector<std::string>& services) {
  std::vector<ports::RolloutRow> unfinished;
  auto rows = journal.rollouts(kLookBack);
  if (!rows) return unfinished;
  for (const ports::RolloutRow& row : *rows) {
    if (!row.result.empty()) continue;
    bool ours = std::find(services.begin(), services.end(), row.service) != services.end();
    if (!ours && core::works_on_hosts(core::intent_named(row.intent))) {
      auto found = replay(journal, row.rollout);
      ours = found && std::any_of(services.begin(), services.end(), [&](const std::string& each) {
               return concerns(found->state.plan, each);
             });
    }
    if (ours) unfinished.push_back(row);
  }
  return unfinished;
}

Task<void> send_what_is_due(RolloutSession* session, std::string service) {
  auto rows = session->journal->rollouts(kLookBack);
  if (!rows || session->sinks.empty()) co_return;
  for (const ports::RolloutRow& row : *rows) {
    if (row.service != service || row.result.empty()) continue;
    const auto owed = session->journal->get_fact(std::string(kOwed) + row.rollout);
    if (!owed || *owed != "due") continue;
    auto found = replay(*session->journal, row.rollout);
    if (!found || !found->state.ended) continue;
    session->entries = std::move(found->entries);
    Told told;
    told.certificate = get_certificate(*session->journal, row.rollout);
    auto kept = kept_report(state_dir(*session->app), row.rollout);
    if (kept && *kept) told.report = std::move(**kept);
    session->exit_code = exit_code_of(*found->state.ended);
    for (const std::string& line : co_await notify_ended(session, &found->state, std::move(told)))
      fmt::print(stderr, "sent late, for {}: {}\n", row.rollout, escape_for_terminal(line));
  }
}

}  // namespace hitless::cli
