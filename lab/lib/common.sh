# shellcheck shell=bash disable=SC2034
# Names, paths, messages, locks and the care of background processes.
#
# A process is recorded as "pid starttime" and is believed only while both agree, so that a
# reused pid is never signalled. Everything that a lab creates carries its prefix hl<index>-, or
# lives below its state folder: `down` finds it by name also when nothing was recorded.

LAB_NAME=${HITLESS_LAB_NAME:-default}
LAB_ROOT=${HITLESS_LAB_DIR:-/run/hitless-lab}
LAB_CACHE=${HITLESS_LAB_CACHE:-/var/cache/hitless-lab}
BASE="" # the base system in use, see image_prepare
readonly LAB_LBS=(lb-1 lb-2)
readonly BOOT_DEADLINE_S=${HITLESS_LAB_BOOT_DEADLINE_S:-90}
readonly STATS_PORT=9999 DEP_PORT=8090

say() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

need_root() { [[ $(id -u) == 0 ]] || die "must run as root (it makes namespaces and mounts)"; }

lab_paths() {
  [[ $LAB_NAME =~ ^[a-z0-9][a-z0-9-]{0,19}$ ]] || die "bad lab name '$LAB_NAME' (a-z, 0-9, -, at most 20)"
  STATE=$LAB_ROOT/$LAB_NAME
  LAB_INDEX="" SUBNET="" PREFIX=""
  # `index` is written first of all and holds what `down` needs to find the rest by name.
  if [[ -s $STATE/index ]]; then
    read -r LAB_INDEX SUBNET <"$STATE/index"
    PREFIX=hl$LAB_INDEX
  fi
}

need_up() { [[ -e $STATE/ready ]] || die "lab '$LAB_NAME' is not up (see: lab up)"; }

# take_lock FD FILE SECONDS. The file may be removed by its holder: whoever waited for the removed
# one tries again with the new one.
take_lock() {
  while :; do
    mkdir -p "${2%/*}"
    eval "exec $1>\"\$2\""
    flock -w "$3" "$1" || return 1
    [[ ! $2 -ef /proc/self/fd/$1 ]] || return 0
  done
}

# The lock is inherited by the short-lived children on purpose: a waiting `down` gets it only
# when the last child of a killed `up` is gone. Daemons close it (see spawn).
lock_lab() {
  take_lock 8 "$LAB_ROOT/.$LAB_NAME.lock" "${1:-120}" || die "another command holds lab '$LAB_NAME'"
}

# Field 22 of stat, counted after the command name, which may hold spaces. A zombie counts as
# gone: not every pid 1 reaps at once.
start_time() {
  local -a stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -ra stat <<<"${stat##*) }"
  [[ ${stat[0]} != Z ]] || return 1
  echo "${stat[19]}"
}

record_pid() { echo "$1 $(start_time "$1")" >"$2"; }

# Prints the recorded pid if that very process still lives.
live_pid() {
  local pid started
  [[ -s $1 ]] || return 1
  read -r pid started <"$1"
  [[ $(start_time "$pid") == "$started" ]] || return 1
  echo "$pid"
}

# spawn PIDFILE LOGFILE COMMAND...: a daemon in a session of its own. It records itself before it
# becomes the command, so a kill of this script in between leaves nothing unrecorded.
spawn() {
  local pid_file=$1 log_file=$2
  shift 2
  rm -f "$pid_file"
  # shellcheck disable=SC2016
  setsid -f bash -c '
    exec 8>&- 9>&-
    stat=$(</proc/$$/stat); rest=(${stat##*) })
    echo "$$ ${rest[19]}" >"$0.tmp" && mv "$0.tmp" "$0"
    exec "$@"' "$pid_file" "$@" </dev/null >>"$log_file" 2>&1
  local tries=500
  until [[ -s $pid_file ]]; do
    ((tries-- > 0)) || die "could not start $1, see $log_file"
    sleep 0.01
  done
}

# stop_pid PIDFILE: kill for good, and wait until it is gone.
stop_pid() {
  local pid
  pid=$(live_pid "$1") || { rm -f "$1"; return 0; }
  kill -KILL "$pid" 2>/dev/null || true
  wait_for 10 "end of process $pid" gone "$1"
  rm -f "$1"
}
gone() { ! live_pid "$1" >/dev/null; }

# wait_for SECONDS WHAT COMMAND...: polls ten times a second.
wait_for() {
  local tries=$(($1 * 10)) what=$2
  shift 2
  while ! "$@" 2>/dev/null; do
    ((tries-- > 0)) || { say "gave up waiting for $what"; return 1; }
    sleep 0.1
  done
}

host_names() { # the hosts of this lab, in order
  local dir
  for dir in "$STATE"/hosts/web*; do
    [[ -d $dir ]] && echo "${dir##*/}"
  done
  return 0
}

need_host() {
  [[ ${1:-} =~ ^web[0-9]+$ && -d $STATE/hosts/$1 ]] || die "no host '${1:-}' in lab '$LAB_NAME'"
}

need_lb() {
  [[ " ${LAB_LBS[*]} " == *" ${1:-} "* ]] || die "no load balancer '${1:-}' (${LAB_LBS[*]})"
}

# Fixed places in the subnet; hosts start at .101.
address_of() {
  case $1 in
    control) echo "$SUBNET.1" ;;
    lb-*) echo "$SUBNET.$((10 + ${1#lb-}))" ;;
    dep) echo "$SUBNET.20" ;;
    web*) echo "$SUBNET.$((100 + 10#${1#web}))" ;;
    *) die "no address for '$1'" ;;
  esac
}
