#include "adapters/service/unit_fixture.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/time.hpp"

namespace hitless::service {
namespace {

constexpr DurationMs kWaitMs = 60'000;  // a busy machine imports Python slowly

constexpr const char* kSystemctl = R"sh(#!/bin/sh
dir=${0%/bin/systemctl}/unit
read -r main 2>/dev/null <"$dir/main.pid" || main=0
alive() {
  [ "$main" != 0 ] && read -r stat 2>/dev/null <"/proc/$main/stat" || return 1
  case ${stat##*) } in Z*|X*) return 1;; esac
}
# A unit with PIDFile= takes its main process from there when the one it knew has gone.
# php-fpm ends its pid file without a line break.
forked() {
  pid=
  [ -s "$dir/pidfile" ] && read -r path <"$dir/pidfile" || return 1
  read -r pid 2>/dev/null <"$path" || [ -n "$pid" ]
}
if ! alive && forked && [ "$pid" != "$main" ]; then
  main=$pid
  if alive; then echo "$main" >"$dir/main.pid"; fi
fi
number() { cat "$dir/$1" 2>/dev/null || echo 0; }
start() {
  echo $(($(number count) + 1)) >"$dir/count"
  setsid sh "$dir/start" </dev/null >>"$dir/out" 2>&1 &
  main=$!
  echo "$main" >"$dir/main.pid"
  [ ! -s "$dir/pidfile" ] || for try in $(seq 100); do
    if forked && [ -e "/proc/$pid" ]; then echo "$pid" >"$dir/main.pid"; break; fi
    sleep 0.05
  done
}
stop() {
  alive || return 0
  kids=$(cat "/proc/$main/task/$main/children" 2>/dev/null)
  kill -TERM "$main"
  for try in $(seq 100); do alive || return 0; sleep 0.05; done
  kill -KILL "$main" $kids 2>/dev/null
}
properties() {
  state=active sub=running result=success pid=$main
  if ! alive; then
    state=failed sub=failed result=exit-code pid=0
    if [ -e "$dir/always" ]; then
      echo $(($(number restarts) + 1)) >"$dir/restarts"
      start
      state=activating sub=auto-restart
    fi
  fi
  can=no; [ -s "$dir/reload" ] && can=yes
  cat <<TEXT
LoadState=loaded
ActiveState=$state
SubState=$sub
InvocationID=$(printf '%032d' "$(number count)")
MainPID=$pid
NRestarts=$(number restarts)
Result=$result
ReloadResult=success
Type=$(cat "$dir/type" 2>/dev/null || echo notify)
CanReload=$can
NeedDaemonReload=no
StartLimitBurst=5
StartLimitIntervalUSec=10s
TimeoutStopUSec=$(cat "$dir/stop_timeout" 2>/dev/null || echo 1min 30s)
ExecStart={ path=/bin/sh ; argv[]=$(head -n 1 "$dir/start") ; ignore_errors=no }
TEXT
}
verb= list= value=
while [ $# -gt 0 ]; do
  case $1 in
    -p) list=$2; shift;;
    --value) value=1;;
    --|--*) ;;
    *) [ -n "$verb" ] || verb=$1;;
  esac
  shift
done
case $verb in
  show)
    if [ -n "$value" ]; then properties | sed -n "s/^$list=//p"; else properties; fi;;
  restart) stop; rm -f "$dir/restarts"; start; sleep 0.1;;
  start) start;;
  stop) stop;;
  reload) alive || exit 1; MAINPID=$main sh "$dir/reload";;
  reset-failed) ;;
  *) exit 1;;
esac
)sh";

}  // namespace

TestUnit::TestUnit() {
  write_file(folder / "bin/systemctl", kSystemctl, 0755);
  host.path_prefix = folder / "bin";
}

void TestUnit::define(const std::string& start, const std::string& reload) {
  write_file(folder / "unit/start", start + "\n");
  write_file(folder / "unit/reload", reload.empty() ? reload : reload + "\n");
}

void TestUnit::systemctl(const std::string& verb) {
  (void)wait_for(host.exec({"systemctl", verb, "--", "test.service"}, {}, 20'000, false));
}

bool TestUnit::start(bool has_workers) {
  systemctl("start");
  return wait_until([&] {
    const auto now = wait_for(service->identity());
    return now && now->active && (!has_workers || !now->workers.empty());
  });
}

std::int64_t TestUnit::pid() const {
  return std::atoll(read_text(folder / "unit/main.pid").c_str());
}

bool TestUnit::wait_until(const std::function<bool()>& holds) {
  const TimeMs end = wall_now_ms() + kWaitMs;
  while (!holds()) {
    if (wall_now_ms() > end) return false;
    ::usleep(50'000);
  }
  return true;
}

}  // namespace hitless::service
