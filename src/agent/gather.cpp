#include "agent/gather.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/names.hpp"
#include "base/text.hpp"
#include "runtime/timeout.hpp"

namespace hitless::agent {
namespace {

// $1 unit, $2 port, $3 error log, $4 its offset, $5 milliseconds, then configuration files. Each
// line of the answer has a letter and a blank before it, so that no log can pass for another source.
// "? x": source x could not be read. Logs are read from up to 4 s earlier, as a line may be older
// than the moment that we know of; a changed file counts to the millisecond, else what a user edits
// just before a rollout would be somebody else's change in the middle of it.
constexpr const char* kScript = R"sh(
LC_ALL=C; export LC_ALL
unit=$1 port=$2 log=$3 offset=$4 since=$((($5 + 3999) / 1000))s
now=$(date +%s%3N)
case $now in *[!0-9]*) now=$(date +%s)000 ;; esac
cut=$((now - $5))
cut=$((cut / 1000)).$(printf %03d $((cut % 1000)))
shift 5
tag() { cut -c1-600 | sed "s/^/$1 /"; }
if [ -n "$unit" ]; then
  systemctl show -p LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,MainPID,NRestarts,User,MemoryMax,NeedDaemonReload,StatusText -- "$unit" 2>/dev/null | tag u
  lines=$(journalctl -q --since "-$since" UNIT="$unit" -n 60 -o short-iso --no-pager 2>/dev/null)
  if [ -n "$lines" ]; then printf '%s\n' "$lines" | tag m; else echo '? j'; fi
  journalctl -q --since "-$since" _SYSTEMD_UNIT="$unit" -n 150 -o short-iso --no-pager 2>/dev/null |
    grep -avF " $unit: " | tail -n 120 | tag j
fi
journalctl -q -k --since "-$since" -n 3000 -o short-iso --no-pager 2>/dev/null | grep -aiE 'out of memory|oom-kill|killed process' | tail -n 10 | tag k
df -P / /var /run 2>/dev/null | tail -n +2 | sort -u | tag d
if [ "$port" != 0 ]; then
  ss -Hltnp "sport = :$port" 2>/dev/null | while IFS= read -r line; do
    pid=$(printf '%s\n' "$line" | sed -n 's/.*pid=\([0-9]*\),.*/\1/p')
    owner=
    [ -n "$pid" ] && owner=$(sed -n 's/.*\/\([^/]*\.service\).*/\1/p;q' "/proc/$pid/cgroup" 2>/dev/null)
    printf '%s\t%s\t%s\n' "$owner" "$pid" "$line"
  done | tag s
  echo "n $(ss -Htn state established "sport = :$port" 2>/dev/null | wc -l)"
fi
[ -z "$unit" ] || find /etc -xdev -type f -newermt "@$cut" 2>/dev/null | head -n 40 |
  while IFS= read -r path; do
    ours=
    for file in "$@"; do [ "$path" = "$file" ] && ours=1; done
    case $path in *.backup-* | */.hitless-*) ours=1 ;; esac
    [ -n "$ours" ] || printf 'c name=%s by=other\n' "$path"
  done
for file in "$@"; do
  stat -L -c 'f %n %a %U:%G' -- "$file" 2>/dev/null || printf 'f %s missing\n' "$file"
done
if [ -n "$log" ]; then
  if [ -r "$log" ]; then
    size=$(stat -L -c %s -- "$log")
    [ "$size" -lt "$offset" ] && offset=0
    tail -c "+$((offset + 1))" -- "$log" | tail -n 60 | tag e
  else echo '? e'; fi
fi
echo 'z'
)sh";

// Not as root: whoever may look into the folder sees who may read the file.
constexpr const char* kStatScript = R"sh(
for file in "$@"; do stat -L -c 'f %n %a %U:%G' -- "$file" 2>/dev/null; done
:
)sh";
constexpr const char* kPathCharacters =
    "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+~-";

const std::map<char, Source> kSources = {{'u', Source::unit_status}, {'j', Source::journal},
                                         {'m', Source::manager},     {'c', Source::changes},
                                         {'k', Source::kernel_log},  {'d', Source::disk},
                                         {'s', Source::sockets},     {'n', Source::sockets},
                                         {'f', Source::file_stat},   {'e', Source::error_log}};

std::string property(std::string_view unit_status, std::string_view name) {
  for (const std::string& line : split(unit_status, '\n')) {
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == '=')
      return line.substr(name.size() + 1);
  }
  return {};
}

// "owner<TAB>pid<TAB>line of ss". A listener that belongs to another unit, or to none, is foreign.
std::string socket_line(const std::string& raw, const std::string& unit) {
  const std::vector<std::string> parts = split(raw, '\t');
  if (parts.size() < 3) return raw;
  std::vector<std::string> words;
  for (const std::string& word : split(parts[2], ' '))
    if (!word.empty()) words.push_back(word);
  const std::string address = words.size() > 3 ? words[3] : parts[2];
  const std::string who = "pid " + (parts[1].empty() ? "unknown" : parts[1]) + ", unit " +
                          (parts[0].empty() ? "none" : parts[0]);
  const bool known = !parts[1].empty();
  const bool ours = unit.empty() || !known || parts[0] == unit;
  return (ours ? "listener on " : "foreign listener on ") + address + " (" + who + ")";
}

// "path mode owner:group". Unreadable when neither owner, nor group, nor others help the user that
// the unit runs as; groups are not looked up, so that a readable group is taken for readable.
std::string file_line(const std::string& raw, const std::string& user) {
  const std::vector<std::string> words = split(raw, ' ');
  if (words.size() != 3 || words[1].size() < 3) return raw;
  const std::string mode = words[1].substr(words[1].size() - 3);
  const std::string owner = words[2].substr(0, words[2].find(':'));
  const auto reads = [](char digit) { return ((digit - '0') & 4) != 0; };
  const bool fine = user.empty() || user == "root" || reads(mode[1]) || reads(mode[2]) ||
                    (owner == user && reads(mode[0]));
  return raw + (fine ? "" : " unreadable by " + user);
}

Task<Result<core::Check>> check_config(ports::Service* service) {
  co_return co_await service->test_config({});
}

Task<void> check_into(ports::Service* service, Result<core::Check>* out) {
  *out = co_await with_timeout(check_config(service), kGatherDeadlineMs, "configuration check");
}

Task<void> script_into(ports::Host* host, const char* script, std::vector<std::string> args,
                       bool as_root, Result<ports::ExecResult>* out) {
  *out = co_await with_timeout(host->script(script, std::move(args), kGatherDeadlineMs, as_root),
                               kGatherDeadlineMs, "gathering evidence");
}

std::vector<std::string> arguments(const GatherTarget& target) {
  constexpr DurationMs kDay = 86'400'000;
  const DurationMs since_ms = target.since_ms <= 0 ? kDay : std::min(target.since_ms, kDay);
  std::vector<std::string> args{target.unit, std::to_string(target.port), target.log_file,
                                std::to_string(std::max<std::int64_t>(target.log_offset, 0)),
                                std::to_string(since_ms)};
  args.insert(args.end(), target.files.begin(), target.files.end());
  return args;
}

}  // namespace

Gathered parse_gathered(std::string_view out, const GatherTarget& target) {
  std::map<Source, std::string> texts;
  std::set<Source> not_had;
  bool whole = false;
  for (const std::string& line : split(out, '\n')) {
    if (line == "z") whole = true;
    if (line.size() < 2 || line[1] != ' ') continue;
    const std::string rest = line.substr(2);
    if (line[0] == '?') {
      const auto source = rest.empty() ? kSources.end() : kSources.find(rest[0]);
      if (source != kSources.end()) not_had.insert(source->second);
      continue;
    }
    const auto source = kSources.find(line[0]);
    if (source == kSources.end()) continue;
    std::string text = rest;
    if (line[0] == 's') text = socket_line(rest, target.unit);
    if (line[0] == 'n') text = rest + " established";
    texts[source->second] += text + "\n";
  }
  if (const auto files = texts.find(Source::file_stat); files != texts.end()) {
    const std::string user = property(texts[Source::unit_status], "User");
    std::string judged;
    for (const std::string& line : split(files->second, '\n'))
      if (!line.empty()) judged += file_line(line, user) + "\n";
    files->second = std::move(judged);
  }
  Gathered gathered;
  for (auto& [source, text] : texts)
    if (!text.empty()) gathered.pieces.push_back({source, std::move(text)});
  if (!whole) not_had.insert({Source::unit_status, Source::journal});  // it broke off
  gathered.not_had.assign(not_had.begin(), not_had.end());
  return gathered;
}

std::vector<std::string> added_paths(std::string_view diff) {
  constexpr std::size_t kMost = 8;
  std::vector<std::string> paths;
  for (const std::string& line : split(diff, '\n')) {
    if (line.size() < 2 || line[0] != '+' || line.starts_with("+++")) continue;
    for (std::size_t at = line.find('/'); at != std::string::npos; at = line.find('/', at)) {
      const std::size_t end = std::min(line.find_first_not_of(kPathCharacters, at), line.size());
      const bool starts = std::string_view(" \t\"'=:<>(").find(line[at - 1]) != std::string::npos;
      std::string path = line.substr(at, end - at);
      at = end;
      if (path.starts_with("//")) continue;  // of a URL
      const bool known = std::find(paths.begin(), paths.end(), path) != paths.end();
      if (starts && !known && check_absolute_path(path) && paths.size() < kMost)
        paths.push_back(std::move(path));
    }
  }
  return paths;
}

Task<Gathered> gather(GatherTarget target) {
  Result<ports::ExecResult> ran = fail(ErrorCode::internal, "not asked");
  Result<ports::ExecResult> seen = fail(ErrorCode::internal, "not asked");
  Result<core::Check> checked = fail(ErrorCode::internal, "not asked");
  std::vector<Task<void>> tasks;
  tasks.push_back(script_into(target.host, kScript, arguments(target), true, &ran));
  if (!target.mentioned.empty())
    tasks.push_back(script_into(target.host, kStatScript, target.mentioned, false, &seen));
  if (target.service != nullptr) tasks.push_back(check_into(target.service, &checked));
  co_await join_all(std::move(tasks));
  Gathered gathered;
  if (ran) {
    gathered = parse_gathered((seen ? seen->out : std::string()) + ran->out, target);
  } else {
    gathered.not_had = {Source::unit_status, Source::journal, Source::disk, Source::sockets};
    gathered.pieces.push_back({Source::rollout, "host is unreachable: " + describe(ran.error())});
  }
  if (checked) {
    const bool passes = checked->status == core::CheckStatus::pass;
    gathered.pieces.push_back(
        {Source::config_test, (passes ? "passes: " : "") + checked->evidence});
  } else if (target.service != nullptr) {
    gathered.not_had.push_back(Source::config_test);
  }
  co_return gathered;
}

std::string removed_settings(std::string_view diff) {
  const auto name_of = [](std::string_view line) {
    std::string_view text = trim(line.substr(1));
    for (const std::string_view word : {"export ", "Environment=", "env ", "\""})
      if (text.starts_with(word)) text.remove_prefix(word.size());
    const std::size_t end = text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    const bool set = end != std::string_view::npos && end > 0 && text[end] == '=';
    return set ? std::string(text.substr(0, end)) : std::string();
  };
  std::set<std::string> gone, there;
  for (const std::string& line : split(diff, '\n')) {
    if (line.size() < 2 || line.starts_with("---") || line.starts_with("+++")) continue;
    if (line[0] == '-') gone.insert(name_of(line));
    if (line[0] == '+' || line[0] == ' ') there.insert(name_of(line));
  }
  std::string text;
  for (const std::string& name : gone)
    if (!name.empty() && !there.contains(name)) text += "removed setting " + name + "\n";
  return text;
}

ports::PrivilegedCommands privileged_commands(const GatherTarget& target) {
  using ports::CommandWord;
  ports::CommandWords words = {{"sh"}, {"-c"},        {kScript},
                               {"sh"}, {target.unit}, {std::to_string(target.port)}};
  // Where nginx logs is found out on the host.
  words.push_back(target.log_file.empty()
                      ? CommandWord::pattern("(/[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*)*")
                      : CommandWord{target.log_file});
  words.push_back(CommandWord::pattern("[0-9]+"));
  words.push_back(CommandWord::pattern("[0-9]+"));
  for (const std::string& file : target.files) words.push_back({file});
  ports::PrivilegedCommands all;
  all.commands.push_back(std::move(words));
  return all;
}

}  // namespace hitless::agent
