// watch --triggers: looks at services again and again, and says what calls for a rollout, with its
// evidence and the command. It proposes; it starts nothing. What it saw of memory is kept in the
// state folder, so that --once from a timer sees a slope too.
#include <fmt/format.h>

#include <set>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "cli/load.hpp"
#include "cli/trigger_look.hpp"
#include "cli/verb_triggers.hpp"
#include "runtime/durable_file.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxHistoryBytes = 16u << 20;

struct Watched {
  App* app = nullptr;
  Histories histories;
  std::set<std::string> said;  // findings and unknowns that stand already
  bool interrupted = false;
};

std::string history_path(const App& app) {
  return state_dir(app) + "/memory-histories";
}

void load_histories(const App& app, Histories& histories) {
  auto text = read_if_there(history_path(app), kMaxHistoryBytes);
  if (!text || !*text) return;
  for (agent::NamedHistory& each : agent::histories_from_text(**text))
    histories[each.instance] = std::move(each.history);
}

Status keep_histories(const App& app, const Histories& histories) {
  std::vector<agent::NamedHistory> all;
  for (const auto& [instance, history] : histories) all.push_back({instance, history});
  if (Status made = make_private_dir(state_dir(app)); !made) return made;
  return write_durably(history_path(app), agent::histories_to_text(all));
}

void print(const App& app, const agent::Finding& found) {
  const std::string command = join(agent::command_of(found.proposal), " ");
  if (app.options.json) {
    fmt::print(
        R"({{"format_version":1,"trigger":{},"instance":{},"evidence":{},"intent":{},"service":{},)"
        R"("hosts":[{}],"command":{}}})"
        "\n",
        journal::quote_json(agent::to_string(found.trigger)), journal::quote_json(found.instance),
        journal::quote_json(found.evidence),
        journal::quote_json(agent::to_string(found.proposal.wish)),
        journal::quote_json(found.proposal.service),
        journal::quote_json(found.proposal.hosts.front()), journal::quote_json(command));
  } else {
    fmt::print("{} {}  {}: {}\n  Proposed: {}\n", format_clock(wall_now_ms()),
               escape_for_terminal(found.instance), agent::to_string(found.trigger),
               app.out.plain(escape_for_terminal(found.evidence)), command);
  }
  std::fflush(stdout);
}

// Each once, for as long as it stands.
std::size_t tell(Watched& watched, const TriggerLook& look) {
  std::set<std::string> now;
  for (const agent::Finding& found : look.findings) {
    const std::string key = found.instance + " " + std::string(agent::to_string(found.trigger));
    now.insert(key);
    if (!watched.said.contains(key)) print(*watched.app, found);
  }
  for (const std::string& each : look.unknown) {
    const bool first = now.insert("unknown " + each).second;
    if (first && !watched.said.contains("unknown " + each))
      fmt::print(stderr, "unknown: {}\n", watched.app->err.plain(escape_for_terminal(each)));
  }
  watched.said = std::move(now);
  return look.findings.size();
}

Task<void> wait_or_end(Watched* watched, DurationMs every_ms) {
  auto catcher = co_await SignalCatcher::start([watched](int) { watched->interrupted = true; });
  const DurationMs until = steady_now_ms() + every_ms;
  while (!watched->interrupted && steady_now_ms() < until) co_await sleep_for(200);
}

// An exit code on an error, else the number of findings as -n.
Result<std::size_t> one_round(Watched& watched) {
  App& app = *watched.app;
  auto fleet = load_fleet_or_complain(app);  // anew: it may have changed
  if (!fleet) return fail(ErrorCode::invalid, "the fleet file has errors");
  TriggerLook look;
  for (const auto& [name, service] : fleet->services) {
    if (!app.options.id.empty() && app.options.id != name) continue;
    auto wiring = wire(*fleet, name);
    if (!wiring) {
      look.unknown.push_back(describe(wiring.error()));
      continue;
    }
    run_with(std::move(*wiring),
             [&](Wiring* w) { return look_for_triggers(w, &watched.histories, &look); });
  }
  if (!app.options.id.empty() && fleet->service(app.options.id) == nullptr)
    return fail(ErrorCode::not_found, "no service `" + app.options.id + "` in the fleet file");
  const std::size_t found = tell(watched, look);
  if (Status kept = keep_histories(app, watched.histories); !kept)
    return tl::unexpected<Error>(kept.error());
  return found;
}

}  // namespace

int watch_triggers(App& app) {
  const auto every = parse_duration(app.options.every);
  if (!every || *every < 1'000)
    return failed(app,
                  Error{ErrorCode::invalid, "--every is no duration of at least 1s",
                        escape_for_terminal(app.options.every), "for instance 60s"},
                  kUsage);
  Watched watched;
  watched.app = &app;
  load_histories(app, watched.histories);
  while (!watched.interrupted) {
    auto found = one_round(watched);
    if (!found)
      return failed(app, found.error(),
                    found.error().code == ErrorCode::invalid ? kConfig : kError);
    if (app.options.once) return *found == 0 ? kOk : kChangesPresent;
    run_until_done([&] { return wait_or_end(&watched, *every); });
  }
  return kOk;
}

}  // namespace hitless::cli
