// watch: the live screen of a rollout that another process runs. Reads the journal only; Ctrl-C
// ends the watching, not the rollout.
#include <fmt/format.h>

#include "adapters/journal/service_lock.hpp"
#include "base/time.hpp"
#include "cli/card.hpp"
#include "cli/pick_rollout.hpp"
#include "cli/progress.hpp"
#include "cli/verb_triggers.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

constexpr DurationMs kPollMs = 200;

struct Watching {
  App* app = nullptr;
  std::string rollout, service;
  std::unique_ptr<journal::SqliteJournal> journal;
  core::State state;
  std::int64_t shown = 0;  // seq
  bool interrupted = false;
  int exit_code = kOk;
};

// False: the journal could not be read.
bool show_news(Watching& watching, Progress& progress) {
  auto entries = watching.journal->read(watching.rollout);
  if (!entries) {
    watching.exit_code = failed(*watching.app, entries.error());
    return false;
  }
  for (const core::Entry& entry : *entries) {
    if (entry.seq <= watching.shown) continue;
    watching.shown = entry.seq;
    core::apply_to(watching.state, entry.event, entry.at);
    progress.on_entry(entry, watching.state);
  }
  return true;
}

void tell_cut_off(Watching& watching) {
  watching.exit_code = failed(
      *watching.app, Error{ErrorCode::not_found,
                           watching.rollout + " does not run: it was cut off",
                           {},
                           "`hitless resume " + watching.rollout + "` ends it; `hitless status` " +
                               "says what is out of rotation"});
}

Task<void> follow(Watching* watching) {
  const Options& options = watching->app->options;
  ProgressContext context;
  context.terminal = options.json ? watching->app->out : watching->app->err;
  context.stream = options.json ? stdout : stderr;
  context.entry_as_json = entry_as_json;
  auto progress =
      make_progress(options.json ? ProgressKind::json : options.progress, std::move(context));
  auto catcher = co_await SignalCatcher::start([watching](int) { watching->interrupted = true; });
  bool runs = true;
  while (show_news(*watching, *progress) && !watching->state.ended && runs &&
         !watching->interrupted) {
    progress->on_tick(wall_now_ms());
    co_await sleep_for(kPollMs);
    runs = journal::ServiceLock::is_held(state_dir(*watching->app), watching->service);
  }
  if (!runs) (void)show_news(*watching, *progress);  // its last words
  progress->finish();
  if (watching->exit_code != kOk) co_return;
  if (watching->state.ended) {
    watching->exit_code = exit_code_of(*watching->state.ended);
    if (!options.json) fmt::print("{}", result_card(watching->state, {}, watching->app->out));
  } else if (watching->interrupted) {
    fmt::print(stderr, "No longer watching; {} goes on. Next: hitless watch {}\n",
               watching->rollout, watching->rollout);
    watching->exit_code = kDetached;
  } else {
    tell_cut_off(*watching);
  }
}

}  // namespace

int verb_watch(App& app) {
  if (app.options.triggers) return watch_triggers(app);
  auto row = pick_rollout(app, Pick::any);
  if (!row) return failed(app, row.error());
  auto journal = open_journal(app, false);
  if (!journal) return failed(app, journal.error());
  Watching watching;
  watching.app = &app;
  watching.rollout = row->rollout;
  watching.service = row->service;
  watching.journal = std::move(*journal);
  run_until_done([&] { return follow(&watching); });
  return watching.exit_code;
}

}  // namespace hitless::cli
