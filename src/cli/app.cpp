#include "cli/app.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "adapters/journal/codec.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace hitless::cli {
namespace {

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool exists(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

std::string home() {
  if (std::string value = env("HOME"); !value.empty()) return value;
  const passwd* entry = getpwuid(getuid());
  return entry != nullptr ? entry->pw_dir : "/";
}

std::string xdg(const char* name, const char* fallback) {
  const std::string value = env(name);
  return !value.empty() && value[0] == '/' ? value : home() + "/" + fallback;
}

constexpr const char* kFleetHere = "hitless.yaml";
constexpr const char* kFleetOfAll = "/etc/hitless/hitless.yaml";

}  // namespace

std::string fleet_path(const App& app) {
  if (!app.options.fleet_file.empty()) return app.options.fleet_file;
  if (std::string value = env("HITLESS_FLEET"); !value.empty()) return value;
  const std::string user = xdg("XDG_CONFIG_HOME", ".config") + "/hitless/hitless.yaml";
  for (const std::string& path : {std::string(kFleetHere), user, std::string(kFleetOfAll)}) {
    if (exists(path)) return path;
  }
  return kFleetHere;
}

std::optional<Error> no_fleet_file(const App& app) {
  if (!app.options.fleet_file.empty() || !env("HITLESS_FLEET").empty()) return std::nullopt;
  if (fleet_path(app) != kFleetHere || exists(kFleetHere)) return std::nullopt;
  return Error{ErrorCode::not_found,
               "there is no fleet file",
               {},
               std::string("looked for ./") + kFleetHere + ", " +
                   xdg("XDG_CONFIG_HOME", ".config") + "/hitless/hitless.yaml and " + kFleetOfAll +
                   "; write one (README.md has a small one), or name yours: -f FILE"};
}

std::string state_dir(const App& app) {
  if (!app.options.state_dir.empty()) return app.options.state_dir;
  if (std::string value = env("HITLESS_STATE_DIR"); !value.empty()) return value;
  return xdg("XDG_STATE_HOME", ".local/state") + "/hitless";
}

std::string actor_name() {
  const passwd* entry = getpwuid(getuid());
  std::string user = entry != nullptr ? entry->pw_name : std::to_string(getuid());
  if (const std::string sudo = env("SUDO_USER"); !sudo.empty() && sudo != user)
    user += " (sudo by " + sudo + ")";
  char host[256] = "";
  (void)gethostname(host, sizeof host - 1);
  return user + "@" + host;
}

void print_error(const App& app, const Error& error) {
  const Terminal& t = app.err;
  fmt::print(stderr, "{} {}\n", t.paint(Ink::bad, "error:"),
             t.plain(escape_for_terminal(error.what)));
  if (!error.where.empty()) fmt::print(stderr, "  --> {}\n", escape_for_terminal(error.where));
  if (!error.help.empty())
    fmt::print(stderr, "   = help: {}\n", t.plain(escape_for_terminal(error.help)));
}

int failed(const App& app, const Error& error, int exit_code) {
  print_error(app, error);
  return exit_code;
}

Result<std::unique_ptr<journal::SqliteJournal>> open_journal(const App& app, bool writable) {
  return journal::open_journal(state_dir(app),
                               writable ? journal::Mode::read_write : journal::Mode::read_only,
                               env("HITLESS_AUDIT_KEY"));
}

std::string entry_as_json(const core::Entry& entry) {
  return fmt::format("{{\"seq\":{},\"at\":\"{}\",\"event\":{}}}", entry.seq,
                     format_timestamp(entry.at), journal::event_to_json(entry.event));
}

Result<Replay> replay(ports::Journal& journal, const std::string& rollout, std::int64_t up_to_seq) {
  auto entries = journal.read(rollout, up_to_seq);
  if (!entries) return tl::unexpected<Error>(entries.error());
  if (entries->empty()) {
    return fail(ErrorCode::not_found, "no rollout `" + rollout + "` in the journal", {},
                "`hitless history` lists them");
  }
  Replay result;
  for (const core::Entry& entry : *entries)
    result.state = core::apply(std::move(result.state), entry.event, entry.at);
  result.entries = std::move(*entries);
  return result;
}

}  // namespace hitless::cli
