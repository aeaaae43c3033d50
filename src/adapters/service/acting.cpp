#include "adapters/service/acting.hpp"

#include "adapters/service/evidence.hpp"
#include "adapters/service/scripts.hpp"
#include "base/text.hpp"

namespace hitless::service {
namespace {

using core::Outcome;
using core::OutcomeStatus;
using core::ServiceIdentity;

// Exit codes of our own scripts, apart from those of systemctl (0–5) and of most programs.
constexpr int kSomeoneElse = 96, kCannotTell = 97;

// $1 unit, $2 verb, $3 expected InvocationID, $4 1: who was seen was not well, so a restart by
// systemd itself since then does not stop us; a well one started by somebody does.
constexpr const char* kUnitScript = R"sh(
unit=$1 verb=$2 expected=$3 unwell=$4
LC_ALL=C; export LC_ALL
now=$(systemctl show -p InvocationID --value -- "$unit") || exit 97
if [ "$now" != "$expected" ]; then
  state=$(systemctl show -p ActiveState --value -- "$unit") || exit 97
  again=$(systemctl show -p NRestarts --value -- "$unit") || exit 97
  if [ "$unwell" != 1 ] || { [ "$state" = active ] && [ "$again" = 0 ]; }; then
    echo "InvocationID is $now, NRestarts $again"
    exit 96
  fi
fi
# A crash loop has used up the start limit by now, or does while we look: a way back must not fail by it.
tries=1
[ "$unwell" != 1 ] || { tries=3; systemctl reset-failed -- "$unit" 2>/dev/null; }
while :; do
  systemctl --job-mode=fail "$verb" -- "$unit"
  code=$?
  # The loop's own start may have come in between; systemd then goes on counting from it.
  [ $code -ne 0 ] || [ "$unwell" != 1 ] || systemctl reset-failed -- "$unit" 2>/dev/null
  [ $code -eq 0 ] && exit 0
  tries=$((tries - 1))
  [ $tries -gt 0 ] && [ "$(systemctl show -p Result --value -- "$unit")" = start-limit-hit ] || break
  systemctl reset-failed -- "$unit" 2>/dev/null
done
systemctl show -p Result,ActiveState,SubState,ExecMainStatus -- "$unit" | tr '\n' ' '
echo
command -v journalctl >/dev/null 2>&1 && journalctl -u "$unit" -n 5 --no-pager -o cat 2>/dev/null | cut -c1-300
case $code in 96|97) code=1;; esac
exit $code
)sh";

// $1 unit, $2 pid file, $3 expected InvocationID, $4 expected pid. The old master keeps its pid in
// PIDFILE.oldbin until it ends; it takes the name back by itself when the new one ends first.
constexpr const char* kUpgradeScript = R"sh(
unit=$1 pidfile=$2 expected=$3 old=$4
LC_ALL=C; export LC_ALL
now=$(systemctl show -p InvocationID --value -- "$unit") || exit 97
main=$(systemctl show -p MainPID --value -- "$unit") || exit 97
if [ "$now" != "$expected" ] || [ "$main" != "$old" ]; then
  echo "InvocationID is $now, MainPID $main"
  exit 96
fi
alive() {
  read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  case ${stat##*) } in Z*|X*) return 1;; esac
}
has_workers() { alive "$1" && [ -n "$(cat "/proc/$1/task/$1/children" 2>/dev/null)" ]; }
kill -USR2 "$old" || exit 1
new= tries=0
while [ $tries -lt 100 ]; do
  tries=$((tries + 1))
  sleep 0.1
  # A binary that ended at once has given the name of the pid file back.
  [ $tries -lt 20 ] || [ -e "$pidfile.oldbin" ] || break
  read -r new 2>/dev/null <"$pidfile" || new=
  case $new in *[!0-9]*|''|"$old") new=; continue;; esac
  has_workers "$new" && break
  new=
done
if [ -z "$new" ]; then echo 'no new master with workers came up; the old one goes on'; exit 1; fi
kill -WINCH "$old" || exit 1
tries=0
while [ $tries -lt 10 ]; do
  tries=$((tries + 1))
  sleep 0.1
  has_workers "$new" && continue
  kill -HUP "$old"
  echo 'the new master did not stay; the old one has its workers back'
  exit 1
done
kill -QUIT "$old"
tries=0
while alive "$old"; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo 'the old master still finishes requests'; exit 1; }
  sleep 0.1
done
exit 0
)sh";

// $1 pid file, $2 expected pid (0: none), $3 its start time, then the command.
constexpr const char* kCommandScript = R"sh(
pidfile=$1 expected_pid=$2 expected_start=$3
shift 3
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
pid=0 start=
if [ -e "$pidfile" ]; then
  [ -r "$pidfile" ] || { echo "cannot read $pidfile"; exit 97; }
  read -r pid rest 2>/dev/null <"$pidfile"
fi
case $pid in *[!0-9]*|'') pid=0;; esac
started() {
  IFS= read -r stat 2>/dev/null <"/proc/$pid/stat" || return
  set -f; set -- ${stat##*) }; set +f
  case $1 in Z|X|x|'') return;; esac
  shift 19
  start=$1
}
[ "$pid" = 0 ] || started
[ -n "$start" ] || pid=0
if [ "$pid" != "$expected_pid" ] || [ "$start" != "$expected_start" ]; then
  echo "PID is $pid"
  exit 96
fi
"$@" </dev/null
code=$?
case $code in 96|97) code=1;; esac
exit $code
)sh";

Outcome outcome(OutcomeStatus status, std::string_view detail) {
  Outcome result;
  result.status = status;
  result.detail = evidence(detail);
  return result;
}

Outcome failed(std::string_view detail) {
  return outcome(OutcomeStatus::failed, detail);
}

Outcome to_outcome(const Result<ports::ExecResult>& ran, const std::string& what) {
  if (!ran) {
    const ErrorCode code = ran.error().code;
    const bool untouched = code == ErrorCode::unavailable || code == ErrorCode::refused ||
                           code == ErrorCode::invalid || code == ErrorCode::not_found;
    return outcome(untouched ? OutcomeStatus::failed : OutcomeStatus::unknown,
                   what + ": " + describe(ran.error()));
  }
  switch (ran->exit_code) {
    case 0:
      return outcome(OutcomeStatus::ok, what + " → exit 0");
    case kSomeoneElse:
      return failed("someone restarted it since it was looked at, so nothing was done: " +
                    last_lines(ran->out, 1));
    case kCannotTell:
      return failed("who runs could not be read again, so nothing was done: " +
                    describe_exit(*ran));
    default:
      return failed(what + " → exit " + std::to_string(ran->exit_code) + ": " +
                    last_lines(ran->err + "\n" + ran->out, 8));
  }
}

// Without a look at who runs there is nothing to compare with, and unknown never advances.
bool was_looked_at(const ServiceIdentity& expected) {
  return !expected.state.empty();
}

Outcome not_looked_at() {
  return failed("nobody looked at who runs before, so nothing was done");
}

}  // namespace

const char* unit_script() {
  return kUnitScript;
}
const char* upgrade_script() {
  return kUpgradeScript;
}
const char* command_script() {
  return kCommandScript;
}

Task<Outcome> act_on_unit(ports::Host* host, std::string unit, ports::ActOrder order) {
  if (order.action == core::Action::none) co_return outcome(OutcomeStatus::ok, "nothing to do");
  if (!was_looked_at(order.expected)) co_return not_looked_at();
  const std::string verb = order.action == core::Action::reload ? "reload" : "restart";
  const bool unwell = !order.expected.active || order.expected.restarts > 0;
  ports::Operation operation;
  operation.id = std::move(order.operation_id);
  operation.argv = {"sh",
                    "-c",
                    kUnitScript,
                    "hitless-act",
                    unit,
                    verb,
                    order.expected.invocation_id,
                    unwell ? "1" : "0"};
  operation.deadline_ms = order.deadline_ms;
  operation.fence = std::move(order.fence);
  const auto ran = co_await host->run_operation(std::move(operation));
  co_return to_outcome(ran, "systemctl " + verb + " " + unit);
}

Task<Outcome> upgrade_nginx(ports::Host* host, std::string unit, std::string pid_file,
                            ports::ActOrder order) {
  if (!was_looked_at(order.expected)) co_return not_looked_at();
  ports::Operation operation;
  operation.id = std::move(order.operation_id);
  operation.argv = {"sh",
                    "-c",
                    kUpgradeScript,
                    "hitless-act",
                    unit,
                    std::move(pid_file),
                    order.expected.invocation_id,
                    std::to_string(order.expected.main_pid)};
  operation.deadline_ms = order.deadline_ms;
  operation.fence = std::move(order.fence);
  const auto ran = co_await host->run_operation(std::move(operation));
  co_return to_outcome(ran, "binary upgrade of " + unit);
}

Task<Outcome> act_by_command(ports::Host* host, std::string pid_file, std::vector<std::string> argv,
                             ports::ActOrder order) {
  if (order.action == core::Action::none) co_return outcome(OutcomeStatus::ok, "nothing to do");
  if (argv.empty())
    co_return failed("no command is configured for a " +
                     std::string(order.action == core::Action::reload ? "reload" : "restart"));
  if (!was_looked_at(order.expected)) co_return not_looked_at();
  const std::string what = join(argv, " ");
  ports::Operation operation;
  operation.id = std::move(order.operation_id);
  operation.argv = {"sh",
                    "-c",
                    kCommandScript,
                    "hitless-act",
                    pid_file,
                    std::to_string(order.expected.main_pid),
                    order.expected.start_time};
  operation.argv.insert(operation.argv.end(), argv.begin(), argv.end());
  operation.privileged = host->sudo();
  operation.deadline_ms = order.deadline_ms;
  operation.fence = std::move(order.fence);
  const auto ran = co_await host->run_operation(std::move(operation));
  co_return to_outcome(ran, what);
}

namespace {

Task<Result<Outcome>> await_act(ports::Host* host, std::string id, DurationMs deadline_ms,
                                bool privileged) {
  const auto ran = co_await host->await_operation(id, deadline_ms, privileged);
  if (!ran) co_return tl::unexpected<Error>(ran.error());
  co_return to_outcome(ran, "operation " + id + " of the controller that is gone");
}

}  // namespace

Task<Result<Outcome>> await_unit_act(ports::Host* host, std::string operation_id,
                                     DurationMs deadline_ms) {
  co_return co_await await_act(host, std::move(operation_id), deadline_ms, true);
}

Task<Result<Outcome>> await_command_act(ports::Host* host, std::string operation_id,
                                        DurationMs deadline_ms) {
  co_return co_await await_act(host, std::move(operation_id), deadline_ms, host->sudo());
}

}  // namespace hitless::service
