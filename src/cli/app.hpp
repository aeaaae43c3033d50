// What every verb needs: options, the two streams, where files live, how errors are shown.
// Data goes to stdout, messages to stderr.
#pragma once
#include <memory>
#include <string>

#include "adapters/journal/sqlite_journal.hpp"
#include "base/error.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "core/state.hpp"

namespace hitless::cli {

struct App {
  Options options;
  Terminal out, err;
};

// flag > environment > ./hitless.yaml > user (XDG) > /etc/hitless
[[nodiscard]] std::string fleet_path(const App& app);
// Nothing was named, and none is in the usual places.
[[nodiscard]] std::optional<Error> no_fleet_file(const App& app);
// flag > $HITLESS_STATE_DIR > $XDG_STATE_HOME/hitless > ~/.local/state/hitless
[[nodiscard]] std::string state_dir(const App& app);
[[nodiscard]] std::string actor_name();  // "alice@laptop"

// error: what
//   --> where
//   = help: …
void print_error(const App& app, const Error& error);
int failed(const App& app, const Error& error, int exit_code = kError);

[[nodiscard]] Result<std::unique_ptr<journal::SqliteJournal>> open_journal(const App& app,
                                                                           bool writable);

// One line for --json.
[[nodiscard]] std::string entry_as_json(const core::Entry& entry);

// The fold of a rollout's journal, up to a sequence number (0: all of it).
struct Replay {
  core::State state;
  std::vector<core::Entry> entries;
};
[[nodiscard]] Result<Replay> replay(ports::Journal& journal, const std::string& rollout,
                                    std::int64_t up_to_seq = 0);

// The verbs, one file each (verb_NAME.cpp).
int verb_check(App& app);
int verb_doctor(App& app);
int verb_plan(App& app);
int verb_rollout(App& app);  // restart, reload, apply
int verb_resume(App& app);   // resume, pause, abort
int verb_retry(App& app);
int verb_rollback(App& app);
int verb_watch(App& app);
int verb_status(App& app);
int verb_history(App& app);
int verb_show(App& app);
int verb_diff(App& app);
int verb_incident(App& app);
int verb_ask(App& app);
int verb_audit(App& app);
int verb_explain(App& app);
int verb_schema(App& app);
int verb_completion(App& app);
int verb_report(App& app);
int verb_demo(App& app);
int verb_approve(App& app);
int verb_kill_switch(App& app);
int verb_mcp(App& app);

// From main(): parse, pick the verb, run it.
int run(int argc, char** argv);

}  // namespace hitless::cli
