#include "adapters/host/scripts.hpp"

namespace hitless::host {

// KillMode=process: when the unit is collected, a daemon that the command left running (a service
// that is restarted by its own script) stays. RemainAfterExit and no --collect: the outcome stays
// until we have it.
const char* const unit_start_script = R"sh(
u=$1 t=$2
fence "$3" "$4" "$5"; shift 5
systemd-run --unit="$u" --description="$u" -p Type=oneshot -p RemainAfterExit=yes -p KillMode=process \
  -p TimeoutStartSec="$t" -p StandardOutput="file:/run/$u.out" -p StandardError="file:/run/$u.err" \
  --no-ask-password --quiet --no-block -- "$@" && exit 0
state=$(systemctl show -p LoadState "$u.service")
# Loaded: it was started before, and systemd-run refuses to start it again.
[ "$state" = LoadState=loaded ] || exit 91
)sh";

// Loaded but inactive: its start is still queued.
const char* const unit_wait_script = R"sh(
u=$1 i=0
while :; do
  props=$(systemctl show -p LoadState -p ActiveState -p SubState -p Result -p ExecMainCode \
    -p ExecMainStatus "$u.service") || exit 93
  case $props in
    *LoadState=not-found*) exit 92 ;;
    *ActiveState=active*|*ActiveState=failed*) break ;;
  esac
  i=$((i + 1)); [ $i -le 20 ] || exit 75
  sleep 0.02 2>/dev/null || sleep 1
done
printf '%s\n\n' "$props"
[ -r "/run/$u.out" ] && head -c 900000 -- "/run/$u.out"
[ -r "/run/$u.err" ] && head -c 900000 -- "/run/$u.err" >&2
# Without the file somebody may have collected it while we read.
[ -e "/run/$u.out" ] && exit 0
[ "$(systemctl show -p LoadState "$u.service")" = LoadState=loaded ] || exit 92
)sh";

// In the background: it takes 50 ms that nobody needs to wait for.
const char* const unit_collect_script = R"sh(
{
  case $3 in
    failed) $1 systemctl reset-failed "$2.service" ;;
    *) $1 systemctl stop "$2.service" ;;
  esac
  $1 rm -f -- "/run/$2.out" "/run/$2.err"
} </dev/null >/dev/null 2>&1 &
)sh";

// mkdir is what makes the same id start once. The folder must be ours: /tmp is everybody's.
#define HITLESS_FIND_FOLDER                                                 \
  "uid=$(id -u); base=/tmp; [ \"$uid\" = 0 ] && [ -w /run ] && base=/run\n" \
  "base=$base/hitless-ops-$uid; d=$base/$1\n"

// The lock of the fence (9) is for this script alone.
const char* const detached_start_script = HITLESS_FIND_FOLDER R"sh(
fence "$3" "$4" "$5"
mkdir -m 700 -- "$base" 2>/dev/null
case $(stat -c '%F|%a|%u' -- "$base") in
  "directory|700|$uid"|"directory|2700|$uid") ;;
  *) echo "$base is not a private folder of this user; remove it" >&2; exit 91 ;;
esac
command -v setsid >/dev/null && command -v timeout >/dev/null || {
  echo 'setsid and timeout are needed' >&2; exit 91; }
mkdir -m 700 -- "$d" || { [ -d "$d" ] && exit 0; exit 91; }
t=$2; shift 5
setsid sh -c '
d=$1 t=$2; shift 2
echo "$$ $(cut -d" " -f22 "/proc/$$/stat")" > "$d/pid.new"; mv -f -- "$d/pid.new" "$d/pid"
started=$(date +%s)
timeout -k 5 "$t" "$@" > "$d/out" 2> "$d/err"
echo "$? $(($(date +%s) - started)) $t" > "$d/rc.new"; mv -f -- "$d/rc.new" "$d/rc"
' sh "$d" "$t" "$@" </dev/null >/dev/null 2>&1 9>&- &
exit 0
)sh";

// 90: its process is gone and left no record (killed, rebooted), or never came to write its pid.
const char* const detached_wait_script = HITLESS_FIND_FOLDER R"sh(
i=0
[ -d "$d" ] || exit 92
while [ ! -f "$d/rc" ]; do
  if [ -f "$d/pid" ]; then
    read -r pid born < "$d/pid"
    [ "$(cut -d' ' -f22 "/proc/$pid/stat" 2>/dev/null)" = "$born" ] || [ -f "$d/rc" ] || exit 90
  elif [ $(($(date +%s) - $(stat -c %Y -- "$d"))) -gt 10 ]; then
    exit 90
  fi
  i=$((i + 1)); [ $i -le 30 ] || exit 75
  sleep 0.02 2>/dev/null || sleep 1
done
cat -- "$d/rc"; echo
head -c 900000 -- "$d/out"
head -c 900000 -- "$d/err" >&2
[ -d "$d" ] || exit 92
exit 0
)sh";

// Moved away first: whoever reads at the same time sees all of it or that it is gone. No id starts
// with a dot.
const char* const detached_collect_script = HITLESS_FIND_FOLDER R"sh(
rm -rf -- "$base/.old-$1"
mv -T -- "$d" "$base/.old-$1" && rm -rf -- "$base/.old-$1"
)sh";

}  // namespace hitless::host
