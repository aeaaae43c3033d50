#include "adapters/service/probe.hpp"

#include <charconv>

#include "adapters/service/evidence.hpp"
#include "adapters/service/scripts.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kProbeDeadlineMs = 10'000;

// $1 unit, $2 pid file, $3 which workers, $4 log, $5 its inode, $6 offset (-1: don't read),
// $7 properties, $8 pattern of log lines, $9 binary, then the process that is known ("pid:start" or
// -), then patterns of files. One letter and a blank open each line of the answer; only systemd's
// properties stand for themselves, between a line "U" and a line ".". While the known process lives
// they are not asked for, which takes longer than all the rest: there is a line "K" instead.
// Of the log only the master's own lines count: clients can fill it with [crit] lines of workers.
// A gunicorn worker beats on a file of its own, from when it has imported the application: by its
// mode (up to 20) or by a modification time that counts from boot (since 21).
// HAProxy's master hands the list of its processes, with failed reloads, on in its environment.
// /proc is read with builtins: a fork per process would make a probe of 64 workers slow.
constexpr const char* kProbeScript = R"sh(
LC_ALL=C; export LC_ALL
unit=$1 pidfile=$2 workers=$3 log=$4 inode=$5 offset=$6 properties=$7 pattern=$8 binary=$9
shift 9
known=$1
shift
start_of() {
  start= parent= name=
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  IFS=' '
  fields=${stat##*) } name=${stat%) *}
  name=${name#*\(}
  set -f; set -- $fields; set +f
  case $1 in Z|X|x|'') return 1;; esac
  parent=$2
  shift 19
  start=$1
}
pid=
if [ "$known" != - ] && start_of "${known%:*}" && [ "$start" = "${known#*:}" ]; then
  echo K
  pid=${known%:*}
elif [ -n "$unit" ]; then
  shown=$(systemctl show -p "$properties" -- "$unit") || { echo "! systemctl show: exit $?"; exit 0; }
  shown="
$shown
"
  printf 'U%s.\n' "$shown"
  pid=${shown#*"
MainPID="}
  pid=${pid%%"
"*}
elif [ -n "$pidfile" ]; then
  if [ -e "$pidfile" ] && [ ! -r "$pidfile" ]; then echo "! cannot read $pidfile"; exit 0; fi
  IFS=' ' read -r pid rest 2>/dev/null <"$pidfile"
fi
case $pid in *[!0-9]*|''|0) pid=;; esac
if [ -n "$pid" ] && start_of "$pid"; then
  echo "m $pid $start"
  main_name=$name
  if [ -n "$binary" ] && [ -e "/proc/$pid/exe" ]; then
    if [ "/proc/$pid/exe" -ef "$binary" ]; then echo 'b 1'; else echo 'b 0'; fi
  fi
  if [ "$workers" = haproxy ]; then
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^HAPROXY_PROCESSES=/h /p' | cut -c1-2000
  fi
  if [ "$workers" != none ]; then
    if [ -r "/proc/$pid/task/$pid/children" ]; then
      IFS= read -r children <"/proc/$pid/task/$pid/children"
    else
      children=
      for dir in /proc/[0-9]*; do
        child=${dir#/proc/}
        start_of "$child" && [ "$parent" = "$pid" ] && children="$children $child"
      done
    fi
    IFS=' '
    for child in $children; do
      start_of "$child" || continue
      case $workers in
        gunicorn) echo "w $child:$start";;
        same_name|haproxy) if [ "$name" = "$main_name" ]; then echo "w $child:$start"; fi;;
        *)
          title=
          IFS= read -r title 2>/dev/null <"/proc/$child/cmdline"
          case $title in
            'nginx: worker process is shutting down'*) ;;
            'nginx: worker process'*) echo "w $child:$start";;
          esac;;
      esac
    done
  fi
  if [ "$workers" = gunicorn ] && [ -n "$children" ]; then
    IFS=' '
    set -f; folders=; for child in $children; do folders="$folders /proc/$child/fd"; done
    find $folders -lname '*/wgunicorn-*' -exec stat -L -c 'g %a %Y %n' -- {} + 2>/dev/null; set +f
  fi
fi
if [ -n "$log" ]; then
  if [ ! -e "$log" ]; then echo 'l 0 0'
  elif [ -f "$log" ] && [ -r "$log" ]; then
    IFS=' '
    set -f; before_set=$(stat -L -c '%i %s' -- "$log"); set +f
    now_inode=${before_set% *} size=${before_set#* }
    if [ "$offset" -ge 0 ]; then
      serious() { tail -c "+$(($2 + 1))" -- "$1" | grep -aE -e "$pattern" | tail -n 40 | cut -c1-600 | sed 's/^/e /'; }
      if [ "$inode" != 0 ] && [ "$inode" != "$now_inode" ]; then
        if [ -r "$log.1" ] && [ "$(stat -L -c %i -- "$log.1")" = "$inode" ]; then serious "$log.1" "$offset"; fi
        serious "$log" 0
      elif [ "$size" -lt "$offset" ]; then serious "$log" 0
      elif [ "$size" -gt "$offset" ]; then serious "$log" "$offset"; fi
      echo 'k'
    fi
    echo "l $now_inode $size"
  fi
fi
count=$#
IFS=
for pattern in "$@"; do
  for file in $pattern; do [ -f "$file" ] && set -- "$@" "$file"; done
done
[ $# -gt 0 ] && shift "$count"
if [ $# -gt 0 ]; then
  if sums=$(sha256sum -- "$@" 2>/dev/null); then
    IFS='
'
    set -f; for sum in $sums; do printf 's %s\n' "$sum"; done
  else echo 'r'; fi
fi
echo 'z'
)sh";

constexpr const char* kNginxPattern = R"(^.{19} \[(emerg|alert|crit)\] @PID@#)";

std::int64_t to_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

void read_process(core::ServiceIdentity& identity, const std::string& rest) {
  const std::vector<std::string> parts = split(rest, ' ');
  if (parts.size() != 2) return;
  identity.main_pid = to_number(parts[0]);
  identity.start_time = parts[1];
}

void read_log(const ProbeQuery& query, core::ServiceIdentity& identity, const std::string& rest) {
  const std::vector<std::string> parts = split(rest, ' ');
  if (parts.size() != 2) return;
  identity.log_file = query.log_file;
  identity.log_inode = to_number(parts[0]);
  identity.log_offset = to_number(parts[1]);
}

// "<mode> <mtime> /proc/<pid>/fd/<n>"; the file is made with mode 600 and today's time.
void read_heartbeat(ProbeResult& result, const std::string& rest) {
  constexpr std::int64_t kNoUptimeYet = 1'000'000'000;  // 31 years after boot; 2001 as a date
  const std::vector<std::string> parts = split(rest, ' ');
  if (parts.size() != 3) return;
  const std::vector<std::string> place = split(parts[2], '/');
  const bool beats = parts[0] != "600" || to_number(parts[1]) < kNoUptimeYet;
  if (beats && place.size() > 2) result.ready.push_back(place[2]);
}

// What the lines say together. `known`: it is still the process that the query names.
void settle(const ProbeQuery& query, bool known, const std::string& shown, ProbeResult& result) {
  core::ServiceIdentity& identity = result.identity;
  // A log that was not there before the reload and still is not holds nothing.
  const bool still_none =
      query.log_inode == 0 && identity.log_inode == 0 && identity.log_offset == 0;
  if (query.log_offset >= 0 && still_none) result.log_known = true;
  if (known && query.known) {
    identity.active = query.known->active;
    identity.state = query.known->state;
    identity.invocation_id = query.known->invocation_id;
    identity.restarts = query.known->restarts;
    return;
  }
  if (query.unit.empty()) {
    identity.active = identity.main_pid > 0;
    identity.state = identity.active ? "active" : "inactive";
    return;
  }
  result.unit = parse_unit_status(shown);
  if (identity.main_pid == 0) identity.main_pid = result.unit->number("MainPID");
  identity.active = result.unit->running();
  identity.state = result.unit->state();
  identity.invocation_id = result.unit->get("InvocationID");
  identity.restarts = result.unit->number("NRestarts");
}

}  // namespace

const char* probe_script() {
  return kProbeScript;
}

const char* name_of(Workers workers) {
  switch (workers) {
    case Workers::none:
      return "none";
    case Workers::nginx:
      return "nginx";
    case Workers::same_name:
      return "same_name";
    case Workers::gunicorn:
      return "gunicorn";
    case Workers::haproxy:
      break;
  }
  return "haproxy";
}

std::string log_pattern_for(const ProbeQuery& query, const std::string& pid) {
  std::string pattern = query.log_pattern.empty() ? kNginxPattern : query.log_pattern;
  const std::size_t at = pattern.find(kPidMark);
  if (at != std::string::npos) pattern.replace(at, std::string_view(kPidMark).size(), pid);
  return pattern;
}

ProbeResult parse_probe(const ProbeQuery& query, std::string_view out) {
  ProbeResult result;
  core::ServiceIdentity& identity = result.identity;
  std::string shown;
  bool unreadable = false, properties = false, known = false;
  for (const std::string& line : split(out, '\n')) {
    if (line.empty()) continue;
    if (properties || line == "U") {
      properties = line != ".";
      if (properties && line != "U") shown += line + "\n";
      continue;
    }
    const std::string rest = line.size() > 2 ? line.substr(2) : std::string();
    switch (line[0]) {
      case 'm':
        read_process(identity, rest);
        break;
      case 'w':
        identity.workers.push_back(rest);
        break;
      case 'l':
        read_log(query, identity, rest);
        break;
      case 'e':
        result.log_lines.push_back(rest);
        break;
      case 'k':
        result.log_known = true;
        break;
      case 's':
        result.config_listing += rest + "\n";
        break;
      case 'r':
        unreadable = true;
        break;
      case 'K':
        known = true;
        break;
      case 'b':
        result.binary_current = rest == "1";
        break;
      case 'h':
        result.haproxy_processes = rest;
        break;
      case 'g':
        read_heartbeat(result, rest);
        break;
      default:
        break;
    }
  }
  if (unreadable) result.config_listing.clear();
  settle(query, known, shown, result);
  return result;
}

namespace {

std::string known_process(const ProbeQuery& query) {
  if (query.unit.empty() || !query.known || !query.known->active || query.known->main_pid <= 0)
    return "-";
  return std::to_string(query.known->main_pid) + ":" + query.known->start_time;
}

}  // namespace

Task<Result<ProbeResult>> probe(ports::Host* host, ProbeQuery query) {
  std::vector<std::string> args{query.unit,
                                query.pid_file,
                                name_of(query.workers),
                                query.log_file,
                                std::to_string(query.log_inode),
                                std::to_string(query.log_offset),
                                unit_properties(),
                                log_pattern_for(query, std::to_string(query.log_pid)),
                                query.binary,
                                known_process(query)};
  args.insert(args.end(), query.patterns.begin(), query.patterns.end());
  auto ran = co_await host->script(kProbeScript, std::move(args), kProbeDeadlineMs, host->sudo());
  if (!ran) co_return tl::unexpected<Error>(std::move(ran.error()));
  const std::string_view out = trim(ran->out);
  if (ran->exit_code != 0 || ran->truncated || out.empty() || out.back() != 'z') {
    const bool said = !out.empty() && out.front() == '!';
    co_return fail(ErrorCode::failed,
                   said ? evidence(out.substr(1)) : "cannot read who runs: " + describe_exit(*ran),
                   host->name());
  }
  co_return parse_probe(query, ran->out);
}

}  // namespace hitless::service
