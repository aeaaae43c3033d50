// watch --triggers: looks at services again and again, says what calls for a rollout, with its
// evidence and the command, and hands it to the desk, which does what the policy lets it. What it
// saw of memory is kept in the state folder, so that --once from a timer sees a slope too.
#include <fmt/format.h>

#include <set>

#include "adapters/journal/codec.hpp"
#include "adapters/journal/service_lock.hpp"
#include "base/text.hpp"
#include "cli/alert_listener.hpp"
#include "cli/certificate_look.hpp"
#include "cli/load.hpp"
#include "cli/schedule_look.hpp"
#include "cli/trigger_desk.hpp"
#include "cli/trigger_look.hpp"
#include "cli/verb_triggers.hpp"
#include "runtime/durable_file.hpp"
#include "runtime/signals.hpp"

namespace hitless::cli {
namespace {

constexpr std::size_t kMaxHistoryBytes = 16u << 20;
constexpr DurationMs kLeastPauseMs = 1'000;
constexpr const char* kLockName = "hitless-watch-triggers";

struct Watched {
  App* app = nullptr;
  std::unique_ptr<TriggerDesk> desk;
  Histories histories;
  AlertBook alerts;
  Signal news;                 // an alert came or went
  std::set<std::string> said;  // findings and unknowns that stand already
  bool interrupted = false;
  int exit_code = kOk;
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
  const bool only_said = found.proposal.wish == agent::Wish::none;
  const std::string command =
      only_said ? std::string() : join(agent::command_of(found.proposal), " ");
  std::vector<std::string> hosts;
  for (const std::string& host : found.proposal.hosts) hosts.push_back(journal::quote_json(host));
  if (app.options.json) {
    fmt::print(
        R"({{"format_version":1,"trigger":{},"instance":{},"evidence":{},"intent":{},"service":{},)"
        R"("hosts":[{}],"command":{}}})"
        "\n",
        journal::quote_json(name_of(found)), journal::quote_json(found.instance),
        journal::quote_json(found.evidence),
        journal::quote_json(only_said ? "" : agent::to_string(found.proposal.wish)),
        journal::quote_json(found.proposal.service), join(hosts, ","),
        journal::quote_json(command));
  } else {
    fmt::print("{} {}  {}: {}\n", format_clock(wall_now_ms()), escape_for_terminal(found.instance),
               name_of(found), app.out.plain(escape_for_terminal(found.evidence)));
    if (!command.empty()) fmt::print("  Proposed: {}\n", command);
  }
  std::fflush(stdout);
}

// Each once, for as long as it stands.
std::size_t tell(Watched& watched, const TriggerLook& look) {
  std::set<std::string> now;
  for (const agent::Finding& found : look.findings) {
    const std::string key = found.instance + " " + name_of(found) + " " + found.occurrence;
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

void print_word(const App& app, const DeskWord& word) {
  if (app.options.json) {
    fmt::print(R"({{"format_version":1,"case":{},"step":{},"plan":{},"rollout":{},"result":{},)"
               R"("text":{}}})"
               "\n",
               journal::quote_json(word.of), journal::quote_json(word.step),
               journal::quote_json(word.plan_id), journal::quote_json(word.rollout),
               journal::quote_json(word.result), journal::quote_json(word.text));
  } else {
    fmt::print("{} {}  {}: {}\n", format_clock(wall_now_ms()), escape_for_terminal(word.of),
               word.step, app.out.plain(escape_for_terminal(word.text)));
  }
  std::fflush(stdout);
}

// False: there is no such service.
Task<bool> look_at_all(Watched* watched, const fleet::Fleet* fleet, TriggerLook* look) {
  const std::string& wanted = watched->app->options.id;
  if (!wanted.empty() && fleet->service(wanted) == nullptr) co_return false;
  for (const auto& [name, service] : fleet->services) {
    if (watched->interrupted) co_return true;
    if (!wanted.empty() && wanted != name) continue;
    auto wiring = wire(*fleet, name);
    if (!wiring) {
      look->unknown.push_back(describe(wiring.error()));
      continue;
    }
    co_await look_for_triggers(wiring->get(), &watched->histories, look);
    co_await look_at_certificates(&service, wiring->get(), look);
  }
  if (wanted.empty()) co_await look_at_probed_certificates(fleet, look);
  co_return true;
}

// False: it cannot go on; exit_code says why.
Task<bool> one_round(Watched* watched) {
  App& app = *watched->app;
  auto fleet = load_fleet_or_complain(app);  // anew: it may have changed
  if (!fleet) {
    watched->exit_code = kConfig;
    co_return false;
  }
  TriggerLook look;
  if (!co_await look_at_all(watched, &*fleet, &look)) {
    watched->exit_code = failed(
        app, Error{ErrorCode::not_found,
                   "no service `" + escape_for_terminal(app.options.id) + "` in the fleet file",
                   {},
                   {}});
    co_return false;
  }
  look_at_schedules(app, *fleet, app.options.id, &look);
  AlertBook::Called called = watched->alerts.called_for(*fleet, app.options.id, wall_now_ms());
  std::move(called.findings.begin(), called.findings.end(), std::back_inserter(look.findings));
  std::move(called.unknown.begin(), called.unknown.end(), std::back_inserter(look.unknown));
  const std::size_t found = tell(*watched, look);
  if (Status kept = keep_histories(app, watched->histories); !kept) {
    watched->exit_code = failed(app, kept.error());
    co_return false;
  }
  co_await watched->desk->tend(&*fleet, &look);
  if (watched->desk->worst() != kOk)
    watched->exit_code = watched->desk->worst();
  else
    watched->exit_code = found > 0 && watched->desk->left() > 0 ? kChangesPresent : kOk;
  co_return true;
}

// Null and an exit code: it cannot be listened there.
Task<std::unique_ptr<HttpServer>> listen(Watched* watched) {
  App& app = *watched->app;
  auto options = alert_options(app.options.listen);
  if (!options) {
    watched->exit_code = failed(app, options.error(), kUsage);
    co_return nullptr;
  }
  const bool v6 = options->address.find(':') != std::string::npos;
  const std::string address = v6 ? "[" + options->address + "]" : options->address;
  auto listening = co_await listen_for_alerts(std::move(*options), &watched->alerts,
                                              [watched] { watched->news.notify(); });
  if (!listening) {
    watched->exit_code = failed(app, listening.error());
    co_return nullptr;
  }
  fmt::print(stderr, "Listening on http://{}:{}/alertmanager\n", address, (*listening)->port());
  co_return std::move(*listening);
}

Task<void> watch(Watched* watched, DurationMs every_ms) {
  auto catcher = co_await SignalCatcher::start([watched](int) {
    watched->interrupted = true;
    watched->desk->stop();
    watched->news.notify();
  });
  std::unique_ptr<HttpServer> server;
  if (!watched->app->options.listen.empty()) {
    server = co_await listen(watched);
    if (!server) co_return;
  }
  while (!watched->interrupted) {
    const bool fine = co_await one_round(watched);
    if (!fine || watched->app->options.once) co_return;
    co_await sleep_for(std::min(every_ms, kLeastPauseMs));  // however many alerts come
    if (!watched->interrupted) (void)co_await watched->news.wait_for(every_ms);
  }
  watched->exit_code = kOk;
}

agent::Allow allow_of(const App& app) {
  const std::string& name = app.options.triggers_allow;
  if (name == "read") return agent::Allow::read;
  return name == "propose" ? agent::Allow::propose : agent::Allow::act;
}

}  // namespace

int watch_triggers(App& app) {
  const auto every = parse_duration(app.options.every);
  if (!every || *every < 1'000)
    return failed(app,
                  Error{ErrorCode::invalid, "--every is no duration of at least 1s",
                        escape_for_terminal(app.options.every), "for instance 60s"},
                  kUsage);
  if (app.options.once && !app.options.listen.empty())
    return failed(app,
                  Error{ErrorCode::invalid,
                        "--once looks once and ends: it cannot listen for alerts",
                        {},
                        "leave one of them out"},
                  kUsage);
  agent::Allow allow = allow_of(app);
  // Two that act would each begin a rollout of one finding.
  std::optional<journal::ServiceLock> lock;
  if (allow != agent::Allow::read) {
    auto taken = journal::ServiceLock::acquire(state_dir(app), kLockName, "watch --triggers");
    if (taken) {
      lock.emplace(std::move(*taken));
    } else {
      fmt::print(stderr, "{}\nThis one only says what it finds.\n",
                 escape_for_terminal(describe(taken.error())));
      allow = agent::Allow::read;
    }
  }
  Watched watched;
  watched.app = &app;
  watched.desk = std::make_unique<TriggerDesk>(
      app, allow, [&app](const DeskWord& word) { print_word(app, word); });
  load_histories(app, watched.histories);
  run_until_done([&] { return watch(&watched, *every); });
  return watched.exit_code;
}

}  // namespace hitless::cli
