#include "adapters/service/postgresql_facts.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "adapters/service/evidence.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::ServiceIdentity;
using core::ServiceReading;
using core::ServiceVerdict;

constexpr DurationMs kFactsDeadlineMs = 10'000;
constexpr int kNoAnswer = 96;
constexpr std::size_t kMaxListed = 5;  // names in one line of evidence
constexpr const char* kInclude = "(include)";

// $1 os user (-: whoever we are), $2 psql, $3 socket folder, $4 port, $5 database user, $6 names of
// settings, by commas. One word and a blank open each line of the answer; texts have no line
// breaks.
constexpr const char* kScript = R"sh(
os_user=$1 psql=$2
set -- timeout 8 "$psql" -X -w -q -A -t -v ON_ERROR_STOP=1 -v names="$6" -h "$3" -p "$4" -U "$5" -d postgres
if [ "$os_user" != - ] && [ "$(id -u)" = 0 ]; then set -- runuser -u "$os_user" -- "$@"; fi
cd / || exit 91
PGCONNECT_TIMEOUT=3 LC_ALL=C "$@" <<'SQL' || exit 96
SET search_path = pg_catalog;
SELECT 'version ' || current_setting('server_version');
SELECT 'started ' || to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US');
SELECT 'loaded ' || to_char(pg_conf_load_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US');
SELECT 'loaded_s ' || extract(epoch FROM pg_conf_load_time());
SELECT 'recovery ' || pg_is_in_recovery();
SELECT 'sessions ' || count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();
SELECT 'pending ' || name FROM pg_settings WHERE pending_restart ORDER BY name;
SELECT 'error ' || translate(coalesce(sourcefile, '') || ':' || coalesce(sourceline, 0) || ' ' || coalesce(name || ': ', '') || error, E'\n\r', '  ')
  FROM pg_file_settings WHERE error IS NOT NULL
  AND name NOT IN (SELECT name FROM pg_settings WHERE pending_restart) LIMIT 20;
SELECT 'error ' || translate(coalesce(sourcefile, '') || ':' || coalesce(sourceline, 0) || ' ' || error, E'\n\r', '  ')
  FROM pg_file_settings WHERE error IS NOT NULL AND name IS NULL LIMIT 20;
SELECT 'hba ' || translate('line ' || line_number || ': ' || error, E'\n\r', '  ') FROM pg_hba_file_rules WHERE error IS NOT NULL LIMIT 20;
SELECT 'context ' || name || ' ' || context FROM pg_settings WHERE lower(name) = ANY (string_to_array(:'names', ','));
SELECT 'end';
SQL
)sh";

bool is_setting_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

std::string few(const std::vector<std::string>& names) {
  std::vector<std::string> shown(
      names.begin(),
      names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMaxListed)));
  if (names.size() > shown.size())
    shown.push_back("and " + std::to_string(names.size() - shown.size()) + " more");
  return join(shown, ", ");
}

ServiceReading say(ServiceVerdict verdict, const ServiceIdentity& now, const std::string& text) {
  return {verdict, now, evidence(text)};
}

// What stands behind `mark ` in the generation from before; nothing when it is not there.
std::optional<std::string> mark_of(const ServiceIdentity& identity, std::string_view mark) {
  for (const std::string& each : identity.workers) {
    if (each.size() > mark.size() && each.starts_with(mark) && each[mark.size()] == ' ')
      return each.substr(mark.size() + 1);
  }
  return std::nullopt;
}

bool has_mark(const ServiceIdentity& identity, const std::string& whole) {
  return std::ranges::find(identity.workers, whole) != identity.workers.end();
}

}  // namespace

const char* postgresql_script() {
  return kScript;
}

std::vector<std::string> postgresql_test(const PostgresqlConfig& config) {
  return {config.bin_dir + "/postgres", "-C", "config_file", "-D", "{dir}", "-c",
          "config_file={config}"};
}

// pg_ctl refuses root.
std::vector<std::string> postgresql_pg_ctl(const PostgresqlConfig& config, core::Action action) {
  std::vector<std::string> argv{
      "sh",
      "-c",
      "if [ \"$(id -u)\" = 0 ] && [ \"$0\" != - ]; then exec runuser -u \"$0\" -- \"$@\"; fi; "
      "exec \"$@\"",
      config.os_user.empty() ? "-" : config.os_user,
      config.bin_dir + "/pg_ctl",
      action == core::Action::reload ? "reload" : "restart",
      "-s",
      "-D",
      config.data_dir};
  if (action == core::Action::restart) {
    for (const char* word : {"-m", "fast", "-w", "-l"}) argv.emplace_back(word);
    argv.push_back(config.log_file.empty() ? "/dev/null" : config.log_file);
  }
  return argv;
}

Result<PostgresqlFacts> parse_postgresql_facts(std::string_view out) {
  PostgresqlFacts facts;
  bool whole = false, recovery_known = false;
  for (const std::string& line : split(out, '\n')) {
    const std::size_t blank = line.find(' ');
    const std::string word = line.substr(0, blank);
    const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
    if (word == "version") facts.version = rest;
    if (word == "started") facts.started = rest;
    if (word == "loaded") facts.loaded = rest;
    if (word == "loaded_s") facts.loaded_s = std::strtod(rest.c_str(), nullptr);
    if (word == "pending") facts.pending.push_back(rest);
    if (word == "error") facts.file_errors.push_back(rest);
    if (word == "hba") facts.hba_errors.push_back(rest);
    if (word == "recovery") {
      recovery_known = rest == "true" || rest == "false";
      facts.in_recovery = rest == "true";
    }
    if (word == "sessions") std::from_chars(rest.data(), rest.data() + rest.size(), facts.sessions);
    if (word == "context") {
      const std::size_t middle = rest.find(' ');
      if (middle != std::string::npos)
        facts.contexts[rest.substr(0, middle)] = rest.substr(middle + 1);
    }
    whole |= line == "end";
  }
  if (!whole || !recovery_known || facts.started.empty() || facts.loaded.empty())
    return fail(ErrorCode::failed, "PostgreSQL's answer is not whole");
  return facts;
}

Task<Result<PostgresqlFacts>> ask_postgresql(ports::Host* host, PostgresqlConfig config,
                                             std::vector<std::string> settings) {
  std::erase_if(settings, [](const std::string& name) { return !is_setting_name(name); });
  std::vector<std::string> args{config.os_user.empty() ? "-" : config.os_user,
                                config.psql,
                                config.socket_dir,
                                std::to_string(config.port),
                                config.user,
                                join(settings, ",")};
  auto ran = co_await host->script(kScript, std::move(args), kFactsDeadlineMs, host->sudo());
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  if (ran->exit_code == 0) co_return parse_postgresql_facts(ran->out);
  Error error{ran->exit_code == kNoAnswer ? ErrorCode::unavailable : ErrorCode::failed,
              "PostgreSQL does not answer: " + last_lines(ran->err + "\n" + ran->out, 1),
              host->name(),
              "can `" + (config.os_user.empty() ? "you" : config.os_user) + "` run `psql -h " +
                  config.socket_dir + " -p " + std::to_string(config.port) + " -U " + config.user +
                  " postgres` there, without a password and as a superuser?"};
  co_return tl::unexpected(std::move(error));
}

std::vector<std::string> generation_of(const PostgresqlFacts& facts) {
  std::vector<std::string> generation{"loaded " + facts.loaded};
  if (facts.in_recovery) generation.emplace_back("recovery yes");
  for (const std::string& name : facts.pending) generation.push_back("pending " + name);
  return generation;
}

ServiceReading prove_postgresql_reload(const ServiceIdentity& before, const ServiceIdentity& now,
                                       const PostgresqlFacts& facts) {
  // A file that cannot be parsed is ignored as a whole. A bad value is skipped, and then
  // pg_conf_load_time moves all the same: it proves nothing without a look at the errors.
  if (!facts.file_errors.empty())
    return say(ServiceVerdict::not_applied, now, "configuration: " + facts.file_errors.front());
  if (!facts.hba_errors.empty())
    return say(ServiceVerdict::not_applied, now, "pg_hba.conf: " + facts.hba_errors.front());
  const auto loaded = mark_of(before, "loaded");
  if (!loaded)
    return say(ServiceVerdict::indeterminate, now, "it is not known when it was loaded before");
  if (*loaded == facts.loaded)
    return say(ServiceVerdict::indeterminate, now,
               "not loaded again yet (pg_conf_load_time " + facts.loaded + ")");
  std::vector<std::string> waiting;
  for (const std::string& name : facts.pending)
    if (!has_mark(before, "pending " + name)) waiting.push_back(name);
  if (!waiting.empty())
    return say(ServiceVerdict::not_applied, now,
               "a reload is not enough for " + few(waiting) + " (pending_restart)");
  return say(ServiceVerdict::proven, now,
             "configuration loaded at " + facts.loaded + " UTC, PID " +
                 std::to_string(now.main_pid) + " kept, no errors in its files");
}

ServiceReading prove_postgresql_restart(const ServiceIdentity& before, ServiceReading process,
                                        const PostgresqlFacts& facts) {
  if (process.verdict != ServiceVerdict::proven) return process;
  const bool was_in_recovery = has_mark(before, "recovery yes");
  if (facts.in_recovery && !was_in_recovery && !before.workers.empty()) {
    process.verdict = ServiceVerdict::indeterminate;
    process.evidence = evidence(process.evidence + ", but it is in recovery and was not before");
    return process;
  }
  if (!facts.pending.empty()) {
    process.verdict = ServiceVerdict::indeterminate;
    process.evidence =
        evidence(process.evidence + ", but still waits for a restart: " + few(facts.pending));
    return process;
  }
  process.evidence = evidence(process.evidence + ", accepts queries since " + facts.started +
                              " UTC" + (facts.in_recovery ? ", in recovery as before" : ""));
  return process;
}

// ---- changes of its configuration ---------------------------------------------------------------
std::map<std::string, std::string> postgresql_settings(std::string_view text) {
  std::map<std::string, std::string> settings;
  for (const std::string& raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    const std::size_t end = std::min(line.find_first_of(" \t=#'"), line.size());
    std::string name(line.substr(0, end));
    if (name.empty()) continue;
    for (char& c : name)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    std::string_view rest = trim(line.substr(end));
    if (rest.starts_with('=')) rest = trim(rest.substr(1));
    // A comment ends the value, but not within quotes.
    std::string value;
    bool quoted = false;
    for (const char c : rest) {
      if (c == '\'') quoted = !quoted;
      if (c == '#' && !quoted) break;
      value += c;
    }
    value = std::string(trim(value));
    if (name.starts_with("include")) {
      settings[kInclude] += name + " " + value + "\n";
      continue;
    }
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'')
      value = value.substr(1, value.size() - 2);
    settings[name] = value;
  }
  return settings;
}

PostgresqlChange postgresql_change(const ports::Files& before, const ports::Files& after) {
  PostgresqlChange change;
  std::map<std::string, std::pair<std::string, std::string>> paths;
  for (const auto& [path, content] : before) paths[path].first = content;
  for (const auto& [path, content] : after) paths[path].second = content;
  for (const auto& [path, contents] : paths) {
    if (contents.first == contents.second) continue;
    if (path.ends_with("pg_hba.conf") || path.ends_with("pg_ident.conf")) {
      change.other_files = true;
      continue;
    }
    auto old = postgresql_settings(contents.first), now = postgresql_settings(contents.second);
    change.includes |= old[kInclude] != now[kInclude];
    for (const auto* side : {&old, &now}) {
      for (const auto& [name, value] : *side) {
        if (name == kInclude) continue;
        const auto there = old.find(name), here = now.find(name);
        const bool same = there != old.end() && here != now.end() && there->second == here->second;
        if (!same && std::ranges::find(change.settings, name) == change.settings.end())
          change.settings.push_back(name);
      }
    }
  }
  return change;
}

ports::ChangeNeeds judge_postgresql_change(const PostgresqlChange& change,
                                           const std::map<std::string, std::string>& contexts) {
  std::vector<std::string> restart, reload, unknown;
  for (const std::string& name : change.settings) {
    const auto found = std::ranges::find_if(contexts, [&](const auto& each) {
      std::string lower = each.first;
      for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      return lower == name;
    });
    if (found == contexts.end()) {
      unknown.push_back(name);
    } else if (found->second == "postmaster" || found->second == "internal") {
      restart.push_back(name);
    } else {
      reload.push_back(name);
    }
  }
  ports::ChangeNeeds needs;
  std::vector<std::string> texts;
  if (!restart.empty()) texts.push_back(few(restart) + " only by a restart");
  if (!unknown.empty()) texts.push_back(few(unknown) + " unknown to the server, so by a restart");
  if (change.includes) texts.emplace_back("other includes, so by a restart");
  if (!reload.empty()) texts.push_back(few(reload) + " by a reload");
  if (change.other_files) texts.emplace_back("pg_hba.conf or pg_ident.conf by a reload");
  if (texts.empty()) texts.emplace_back("no setting differs");
  const bool strong = !restart.empty() || !unknown.empty() || change.includes;
  const bool weak = !reload.empty() || change.other_files;
  needs.action = strong ? core::Action::restart : weak ? core::Action::reload : core::Action::none;
  needs.text = evidence(join(texts, "; "));
  return needs;
}

}  // namespace hitless::service
