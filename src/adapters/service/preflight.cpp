#include "adapters/service/preflight.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <set>

#include "adapters/service/evidence.hpp"
#include "adapters/service/scripts.hpp"
#include "base/text.hpp"
#include "confdiff/glob.hpp"

namespace hitless::service {
namespace {

using core::Check;
using core::CheckStatus;

constexpr DurationMs kFactsDeadlineMs = 15'000;
constexpr std::int64_t kStartsWanted = 2;         // ours, and one for a rollback
constexpr std::int64_t kShortStopUs = 3'000'000;  // systemd gives 90 s, and Debian's nginx 5 s

// $1 unit, $2 properties, then folders, "--programs", programs.
constexpr const char* kFactsScript = R"sh(
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
unit=$1 properties=$2; shift 2
echo "i $(id -u)"
read -r uptime rest </proc/uptime && echo "t $uptime"
if [ -n "$unit" ]; then
  if shown=$(systemctl show -p "$properties" -- "$unit" 2>&1); then
    printf 'U\n%s\n.\n' "$shown"
  else
    echo "n $shown"
  fi
fi
folders=0
while [ $# -gt 0 ] && [ "$1" != --programs ]; do
  if [ -d "$1" ]; then printf 'd %s\n' "$1"; set -- "$@" "$1"; folders=$((folders + 1)); fi
  shift
done
shift
while [ $# -gt "$folders" ]; do
  command -v -- "$1" >/dev/null 2>&1 || printf 'p %s\n' "$1"
  shift
done
lines() { IFS= read -r header; while IFS= read -r line; do printf '%s %s\n' "$1" "$line"; done; }
if [ $# -gt 0 ]; then
  df -P -k -- "$@" 2>/dev/null | lines b
  df -P -i -- "$@" 2>/dev/null | lines f
fi
echo z
)sh";

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Filesystem names and mount points may hold blanks, so the columns are found by the "n%" (or,
// where there are no inodes to count, "-") behind them: total used FREE use%.
struct DfLine {
  std::int64_t total = 0, free = 0;
};
std::optional<DfLine> parse_df(std::string_view line) {
  std::vector<std::string> words;
  for (const std::string& word : split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  for (std::size_t i = 4; i < words.size(); ++i) {
    if (words[i] != "-" && words[i].back() != '%') continue;
    const auto total = to_number(words[i - 3]), free = to_number(words[i - 1]);
    if (total && free) return DfLine{*total, *free};
  }
  return std::nullopt;
}

std::string mib(std::int64_t kib) {
  return kib < 10 * 1024 ? std::to_string(kib) + " KiB" : std::to_string(kib / 1024) + " MiB";
}

Check judge_start_limit(const std::string& name, const UnitStatus& unit, std::int64_t uptime_us) {
  const char* title = "Start limit";
  const std::string help = "wait, or: systemctl reset-failed " + name;
  if (unit.get("Result") == "start-limit-hit") {
    return check(title, CheckStatus::fail, "start-limit-hit: systemd refuses to start it again",
                 help);
  }
  const std::int64_t burst = unit.number("StartLimitBurst");
  const std::int64_t interval_us = parse_timespan_us(unit.get("StartLimitIntervalUSec"));
  if (unit.get("StartLimitBurst").empty())
    return check(title, CheckStatus::unknown, "systemd did not tell its start limit");
  const std::string limit =
      std::to_string(burst) + " starts in " + unit.get("StartLimitIntervalUSec");
  if (burst == 0 || interval_us == 0) return check(title, CheckStatus::pass, "no start limit");
  const std::int64_t started_us = unit.number("ExecMainStartTimestampMonotonic");
  const bool recent = interval_us < 0 || started_us == 0 || uptime_us - started_us < interval_us;
  const std::int64_t used = recent ? unit.number("NRestarts") + 1 : 0;
  const std::int64_t left = burst - used;
  const std::string text = limit + ", at least " + std::to_string(used) + " used";
  if (left < 1) return check(title, CheckStatus::fail, text + ": a restart would be refused", help);
  if (left < kStartsWanted)
    return check(title, CheckStatus::warn, text + ": a rollback right after could be refused",
                 help);
  return check(title, CheckStatus::pass, text);
}

Check judge_state(const std::string& name, const UnitStatus& unit) {
  const char* title = "Unit";
  const std::string load = unit.get("LoadState");
  if (load == "not-found") {
    return check(title, CheckStatus::fail, name + " does not exist",
                 "check `unit:` in the fleet file; on the host: systemctl list-units");
  }
  if (load == "masked")
    return check(title, CheckStatus::fail, name + " is masked", "systemctl unmask " + name);
  if (load.empty()) return check(title, CheckStatus::unknown, "systemd told nothing about " + name);
  if (load != "loaded")
    return check(title, CheckStatus::fail, name + " cannot be loaded: LoadState=" + load,
                 "systemctl status " + name);
  if (unit.job_queued()) {
    return check(title, CheckStatus::fail, name + " has another job queued (" + unit.state() + ")",
                 "systemctl list-jobs; somebody else works on it");
  }
  if (unit.get("RefuseManualStart") == "yes" || unit.get("RefuseManualStop") == "yes") {
    return check(title, CheckStatus::fail, name + " refuses to be started or stopped by hand",
                 "RefuseManualStart=, RefuseManualStop= in the unit file");
  }
  const std::string type = unit.get("Type");
  if (type == "oneshot") {
    return check(title, CheckStatus::fail,
                 name + " is Type=oneshot: no process stays to prove a restart by",
                 "name the unit of the daemon itself");
  }
  if (!unit.running()) {
    return check(title, CheckStatus::fail,
                 name + " is " + unit.state() + " (" + unit.why_down() + ")",
                 "start it first: systemctl start " + name);
  }
  std::string text = name + " " + unit.state() + ", PID " + unit.get("MainPID");
  if (type == "simple" || type == "exec")
    text += ", Type=" + type + " (a start counts as good at once; the stability window decides)";
  return check(title, CheckStatus::pass, text);
}

// Nothing is in flight when it is stopped; what the program does in its own background is cut.
std::optional<Check> judge_stop_timeout(const UnitStatus& unit) {
  const std::string shown = unit.get("TimeoutStopUSec");
  const std::int64_t limit_us = shown.empty() ? -1 : parse_timespan_us(shown);
  if (limit_us < 0 || limit_us >= kShortStopUs) return std::nullopt;
  return check("Stop timeout", CheckStatus::warn,
               "TimeoutStopSec=" + shown + ": a program that has not ended by then is killed",
               "give it more if it writes or hands over anything while it stops");
}

// What our own connection to the host comes through. Nothing on the host would take a change back
// that has cut it.
std::optional<Check> judge_way_in(const std::string& name, const UnitStatus& unit) {
  const char* title = "Way in";
  const auto is_one_of = [&](std::initializer_list<std::string_view> units) {
    return std::ranges::any_of(
        units, [&](std::string_view each) { return name == std::string(each) + ".service"; });
  };
  if (is_one_of({"networking", "systemd-networkd", "NetworkManager", "nftables", "iptables",
                 "netfilter-persistent", "firewalld", "ufw", "shorewall", "ferm"}) ||
      name.starts_with("wg-quick@") || name.starts_with("ifup@")) {
    return check(title, CheckStatus::fail,
                 name + " carries the connection that would undo its restart",
                 "by hand, with a console or a timer on the host that takes it back");
  }
  if (!is_one_of({"ssh", "sshd", "dropbear"})) return std::nullopt;
  const std::string mode = unit.get("KillMode");
  if (!mode.empty() && mode != "process" && mode != "none")
    return check(title, CheckStatus::fail,
                 "KillMode=" + mode + ": a restart of " + name + " ends the sessions, also ours",
                 "KillMode=process in the unit, as Debian has it");
  return check(title, CheckStatus::warn,
               name +
                   " is how hosts are reached: open sessions outlive its restart, and the way "
                   "back goes over them; if it does not come up, nobody else gets in",
               "keep a console at hand, and let one host go first (canary)");
}

struct Facts {
  std::string uid, no_systemd, shown;
  std::int64_t uptime_us = 0;
  std::vector<std::string> df_lines, missing_programs;
};

// df tells one line for each folder, in order; when it told fewer, nobody knows which are missing.
std::vector<std::string> df_lines(const std::vector<std::string>& folders,
                                  const std::vector<std::string>& blocks,
                                  const std::vector<std::string>& inodes) {
  const bool whole = blocks.size() == folders.size() && inodes.size() == folders.size();
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < folders.size(); ++i)
    lines.push_back(folders[i] + (whole ? "\t" + blocks[i] + "\t" + inodes[i] : ""));
  return lines;
}

Facts parse_facts(std::string_view out) {
  Facts facts;
  std::vector<std::string> folders, blocks, inodes;
  bool properties = false;
  for (const std::string& line : split(out, '\n')) {
    if (properties || line == "U") {
      properties = line != ".";
      if (properties && line != "U") facts.shown += line + "\n";
      continue;
    }
    if (line.size() < 2) continue;
    const std::string rest = line.size() > 2 ? line.substr(2) : std::string();
    switch (line[0]) {
      case 'i':
        facts.uid = rest;
        break;
      case 't':
        facts.uptime_us = static_cast<std::int64_t>(std::strtod(rest.c_str(), nullptr) * 1e6);
        break;
      case 'n':
        facts.no_systemd += rest + " ";
        break;
      case 'd':
        folders.push_back(rest);
        break;
      case 'b':
        blocks.push_back(rest);
        break;
      case 'f':
        inodes.push_back(rest);
        break;
      case 'p':
        facts.missing_programs.push_back(rest);
        break;
      default:
        break;
    }
  }
  facts.df_lines = df_lines(folders, blocks, inodes);
  return facts;
}

bool complete(const Result<ports::ExecResult>& ran) {
  if (!ran || ran->exit_code != 0 || ran->truncated) return false;
  const std::string_view out = trim(ran->out);
  return !out.empty() && out.back() == 'z';
}

Check judge_privileges(const ports::Host& host, const std::string& uid, bool root_needed) {
  if (!root_needed)
    return check("Privileges", CheckStatus::pass, host.sudo() ? "sudo -n works" : "none needed");
  if (uid == "0")
    return check("Privileges", CheckStatus::pass, host.sudo() ? "sudo -n works" : "root");
  return check("Privileges", CheckStatus::fail, "user id " + uid + " may not restart units",
               "set sudo: true for host " + host.name() +
                   "; `hitless doctor` prints the sudoers lines it needs");
}

}  // namespace

const char* facts_script() {
  return kFactsScript;
}

std::int64_t parse_timespan_us(std::string_view text) {
  static const std::vector<std::pair<std::string_view, std::int64_t>> units = {
      {"us", 1},
      {"ms", 1'000},
      {"s", 1'000'000},
      {"min", 60'000'000},
      {"h", 3'600'000'000},
      {"d", 86'400'000'000},
      {"w", 604'800'000'000},
      {"", 1}};
  std::int64_t sum = 0;
  for (const std::string& word : split(trim(text), ' ')) {
    const std::size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
    const auto number = to_number(std::string_view(word).substr(0, digits));
    const auto unit = std::find_if(units.begin(), units.end(),
                                   [&](const auto& u) { return u.first == word.substr(digits); });
    if (!number || unit == units.end()) return -1;
    sum += *number * unit->second;
  }
  return sum;
}

std::vector<Check> judge_unit(const std::string& name, const UnitStatus& unit,
                              std::int64_t uptime_us) {
  std::vector<Check> checks{judge_state(name, unit)};
  if (unit.get("LoadState") != "loaded") return checks;
  if (unit.get("NeedDaemonReload") == "yes") {
    checks.push_back(check("Unit file", CheckStatus::warn,
                           "changed on disk; a restart uses the one that systemd has loaded",
                           "systemctl daemon-reload"));
  }
  checks.push_back(judge_start_limit(name, unit, uptime_us));
  if (auto line = judge_stop_timeout(unit)) checks.push_back(std::move(*line));
  if (auto line = judge_way_in(name, unit)) checks.push_back(std::move(*line));
  if (const auto others = unit.pulled_along(); !others.empty()) {
    checks.push_back(check("Dependents", CheckStatus::warn,
                           "a restart also stops or restarts: " + join(others, ", "),
                           "they are not drained; check that this is meant"));
  }
  return checks;
}

Check judge_disk(const std::vector<std::string>& df_lines) {
  const char* title = "Disk space";
  std::string smallest_where;
  std::int64_t smallest = -1;
  for (const std::string& line : df_lines) {
    const std::vector<std::string> parts = split(line, '\t');
    const auto space = parts.size() == 3 ? parse_df(parts[1]) : std::nullopt;
    const auto inodes = parts.size() == 3 ? parse_df(parts[2]) : std::nullopt;
    const std::string where = parts.empty() ? std::string() : parts[0];
    if (!space || !inodes)
      return check(title, CheckStatus::unknown, "df does not tell the space left in " + where);
    if (space->free < kMinFreeKib) {
      return check(title, CheckStatus::fail, where + " is full: " + mib(space->free) + " left",
                   "free some space there first");
    }
    if (inodes->total > 0 && inodes->free < 1) {
      return check(title, CheckStatus::fail, where + " has no inodes left",
                   "remove files there first: df -i");
    }
    if (smallest < 0 || space->free < smallest) {
      smallest = space->free;
      smallest_where = where;
    }
  }
  if (smallest < 0) return check(title, CheckStatus::unknown, "none of the folders exists");
  return check(title, CheckStatus::pass,
               "at least " + mib(smallest) + " left (" + smallest_where + ")");
}

Task<std::vector<Check>> preflight(ports::Host* host, PreflightQuery query) {
  std::set<std::string> folders{"/var", "/run"};
  for (const std::string& file : query.config_files) folders.insert(confdiff::folder_of(file));
  std::vector<std::string> args{query.unit, unit_properties()};
  args.insert(args.end(), folders.begin(), folders.end());
  args.push_back("--programs");
  args.insert(args.end(), query.programs.begin(), query.programs.end());

  std::vector<Check> checks;
  auto ran = co_await host->script(kFactsScript, args, kFactsDeadlineMs, host->sudo());
  bool sudo_failed = false;
  if (host->sudo() && ran && !complete(ran)) {
    sudo_failed = true;
    checks.push_back(
        check("Privileges", CheckStatus::fail, "sudo -n does not work: " + describe_exit(*ran),
              "`hitless doctor` prints the sudoers lines that host " + host->name() + " needs"));
    ran = co_await host->script(kFactsScript, args, kFactsDeadlineMs, false);
  }
  if (!ran) {
    checks.push_back(unknown_check("Host", ran.error()));
    co_return checks;
  }
  if (!complete(ran)) {
    checks.push_back(
        check("Host", CheckStatus::unknown, "its facts cannot be read: " + describe_exit(*ran)));
    co_return checks;
  }
  const Facts facts = parse_facts(ran->out);
  if (!sudo_failed) checks.push_back(judge_privileges(*host, facts.uid, !query.unit.empty()));
  if (!facts.no_systemd.empty()) {
    checks.push_back(check("Unit", CheckStatus::unknown, "systemctl: " + facts.no_systemd,
                           "does systemd run on this host? Otherwise use kind: command"));
  } else if (!query.unit.empty()) {
    for (Check& line : judge_unit(query.unit, parse_unit_status(facts.shown), facts.uptime_us))
      checks.push_back(std::move(line));
  }
  for (const std::string& program : facts.missing_programs) {
    checks.push_back(check("Command", CheckStatus::fail, program + " is not found on the host",
                           "install it or give its full path"));
  }
  checks.push_back(judge_disk(facts.df_lines));
  co_return checks;
}

}  // namespace hitless::service
