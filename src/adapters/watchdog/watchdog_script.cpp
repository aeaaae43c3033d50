#include "adapters/watchdog/watchdog_script.hpp"

#include "ports/claim_files.hpp"

namespace hitless::watchdog {
namespace {

// Files in the private folder "watchdog": KEY.order (lines: generation, epoch, instance, rollout,
// service, port, at, then a line for each target), KEY.sh (what the timer runs), KEY.lock. Alarms
// lie in the folder "alarms" as KEY-GENERATION-n.

// talk SOCKET COMMAND prints HAProxy's answer, by the first program that gets one. look SOCKET
// BACKEND SERVER sets $admin and $check, the columns of `show servers state`; 1: no answer.
constexpr const char* kTalk = R"sh(
py='import socket,sys
a=sys.argv
s=socket.socket(socket.AF_UNIX) if a[1]=="unix" else None
s.connect(a[2]) if s else None
s=s or socket.create_connection((a[2],int(a[3])))
s.sendall((a[4]+"\n").encode())
while True:
    d=s.recv(65536)
    if not d: break
    sys.stdout.buffer.write(d)'
pl='use IO::Socket::UNIX;use IO::Socket::IP;
my($k,$h,$p,$c)=@ARGV;
my $s=$k eq "unix"?IO::Socket::UNIX->new(Peer=>$h):IO::Socket::IP->new(PeerHost=>$h,PeerPort=>$p);
$s or exit 1;print $s "$c\n";$s->flush;print while <$s>;'
has() { command -v "$1" >/dev/null 2>&1; }
talk_by() {
  case $2 in
    unix:*) kind=unix to=${2#unix:} port=0 ;;
    *) kind=tcp to=${2#tcp:}; port=${to##*:} to=${to%:*}; to=${to#[}; to=${to%]} ;;
  esac
  case $1-$kind in
    socat-unix) printf '%s\n' "$3" | timeout 3 socat -t 3 - "UNIX-CONNECT:$to" ;;
    socat-tcp)
      case $to in *:*) to="[$to]" ;; esac
      printf '%s\n' "$3" | timeout 3 socat -t 3 - "TCP:$to:$port" ;;
    python3-*) timeout 3 python3 -c "$py" "$kind" "$to" "$port" "$3" ;;
    perl-*) timeout 3 perl -e "$pl" "$kind" "$to" "$port" "$3" ;;
    nc-unix) printf '%s\n' "$3" | timeout 3 nc -U "$to" ;;
    nc-tcp) printf '%s\n' "$3" | timeout 3 nc "$to" "$port" ;;
  esac
}
has_tool() { has timeout && { has socat || has python3 || has perl || has nc; }; }
look() {
  admin= check=
  for tool in socat python3 perl nc; do
    has "$tool" || continue
    state=$(talk_by "$tool" "$1" "show servers state $2" 2>/dev/null) || continue
    case $state in '1
#'*) break ;; "Can't find backend"*) return 0 ;; *) state= ;; esac
  done
  [ -n "$state" ] || return 1
  while read -r w1 w2 w3 name w5 w6 is w8 w9 w10 w11 w12 w13 by rest; do
    [ "$name" = "$3" ] || continue
    case $is-$by in -*|*-|*[!0-9-]*) ;; *) admin=$is check=$by ;; esac
  done <<STATE
$state
STATE
}
guarded() { [ $((check & 4)) != 0 ] && [ $((check & 8)) = 0 ]; }
)sh";

// Run by the timer: $1 key, $2 generation; as a background process also $3 when (uptime), $4 the
// generation before it. Acts only on the order that has its generation, so a timer that was left
// over does nothing. HAProxy's masks: 0x08 drained by command; 0x01, 0x02, 0x20 maint.
constexpr const char* kFire = R"sh(
key=$1 gen=$2
private_folder watchdog || exit 91
dir=$folder order=$folder/$key.order seen= waits=0
while [ -n "${3:-}" ]; do
  IFS=' .' read -r now rest </proc/uptime
  { IFS= read -r is <"$order"; } 2>/dev/null || is=-
  if [ "$is" = "$gen" ]; then seen=1; elif [ -n "$seen" ] || [ "$is" != "$4" ] || [ "$waits" -ge 30 ]; then exit 0; fi
  waits=$((waits + 1))  # who arms writes the order within seconds, or was killed
  [ "$now" -lt "$3" ] || break
  sleep 1
done
take_lock "$dir/$key.lock" || take_lock "$dir/$key.lock" || exit 91
[ -e "$order" ] || exit 0
exec 2>/dev/null 3<"$order"
IFS= read -r is <&3 && [ "$is" = "$gen" ] || exit 0
IFS= read -r epoch <&3; IFS= read -r instance <&3; IFS= read -r rollout <&3
IFS= read -r service <&3; IFS= read -r port <&3; IFS= read -r at <&3 || exit 0
private_folder alarms
alarms=$folder count=0 stopped=
alarm() {
  count=$((count + 1))
  file=$alarms/$key-$gen-$count
  set -- "$1" "$2" "$alarms/$key"-*
  if [ $# -le 50 ]; then
    printf '%s\n' "$instance" "$rollout" "$1" "$2" "$(date +%s)000" >"$alarms/.new-$key" &&
      mv -f -- "$alarms/.new-$key" "$file"
  fi
  text="hitless watchdog: $instance on $1, rollout $rollout: $2"
  logger -p daemon.alert -t hitless -- "$text" ||
    printf '%s\n' "$text" | systemd-cat -t hitless -p alert
}
find_claims "$service" "$port" || stopped=1 files=
for file in $files; do
  [ -e "$file" ] || continue
  if ! read_claim "$file"; then stopped=1; continue; fi
  # Somebody else owns it now, and has timers of his own.
  [ "$c_epoch" -le "$epoch" ] || { rm -f -- "$order" "$dir/$key.sh" "$dir/$key.lock"; exit 0; }
done
put_back() {
  for try in 1 2 3; do
    look "$1" "$2" "$3" && break
    [ "$try" != 3 ] || { what='flagged: its load balancer node does not answer'; return; }
    sleep 1
  done
  if [ -z "$admin" ]; then what="flagged: $2 has no server $3"; return; fi
  what=
  if [ $((admin & 8)) = 0 ] || [ $((admin & 35)) != 0 ]; then return; fi
  what="flagged: no health check guards it in $2"
  guarded || return
  what="flagged: a claim on this host cannot be read, so it was left out of $2"
  [ -z "$stopped" ] || return
  talk_by "$tool" "$1" "set server $2/$3 state ready" >/dev/null
  look "$1" "$2" "$3" && [ -n "$admin" ] && [ $((admin & 8)) = 0 ] &&
    { what="put back into $2"; return; }
  what="flagged: it could not be put back into $2"
}
while read -r node socket backend server <&3; do
  put_back "$socket" "$backend" "$server" 3<&- </dev/null
  [ -z "$what" ] || alarm "$node" "$what"
done
[ "$at" = - ] || alarm "$at" 'flagged: it is being worked on, and no controller is alive'
rm -f -- "$order" "$dir/$key.sh" "$dir/$key.new" "$dir/$key.lock"
)sh";

constexpr const char* kVerbs = R"sh(
verb=$1; shift
units=
[ "$uid" != 0 ] || [ ! -d /run/systemd/system ] || ! has systemd-run || units=1
case $verb in
  probe)
    if [ -n "$units" ]; then echo systemd; else echo process; fi
    while [ $# -ge 4 ]; do
      if ! has_tool; then echo 'no tool'
      elif ! look "$2" "$3" "$4"; then echo 'no answer'
      elif [ -z "$admin" ]; then echo 'no server'
      elif guarded; then echo acts
      else echo 'no check'
      fi
      shift 4
    done
    exit 0 ;;
  alarms|clear)
    private_folder alarms || exit 91
    for key; do
      for file in "$folder/$key"-*; do
        [ -f "$file" ] || continue
        if [ "$verb" = clear ]; then rm -f -- "$file"; else head -n 5 -- "$file"; fi
      done
    done
    exit 0 ;;
esac
# Out of our process group, so that what ends this script does not end that process.
has_own_session() {
  IFS= read -r about <"/proc/$1/stat" || return
  set -f; set -- "$1" ${about##*) }; set +f
  [ "$5" = "$1" ]
}
key=$1
private_folder watchdog && take_lock "$folder/$key.lock" || exit 91
order=$folder/$key.order old=- old_epoch=0
if [ -e "$order" ]; then
  { IFS= read -r old && IFS= read -r old_epoch; } <"$order"
  case $old_epoch in ''|*[!0-9]*) old=- old_epoch=0 ;; esac
fi
if [ "$verb" = disarm ]; then
  [ "$old_epoch" -le "$2" ] || exit 0
  rm -f -- "$order" "$folder/$key.sh" "$folder/$key.new" || exit 91
  [ -z "$units" ] || systemctl stop "hitless-wd-$key-*.timer" || exit 91
  rm -f -- "$folder/$key.lock"
  exit 0
fi
gen=$2 seconds=$3 epoch=$4
[ "$old_epoch" -le "$epoch" ] || { echo "epoch $old_epoch has armed it" >&2; exit 94; }
shift 3
fire >"$folder/$key.new" && mv -f -- "$folder/$key.new" "$folder/$key.sh" || exit 91
if [ -n "$units" ]; then
  systemd-run --quiet --no-ask-password --unit="hitless-wd-$key-$gen" --on-active="${seconds}s" \
    --timer-property=AccuracySec=1s --service-type=oneshot -p TimeoutStartSec=300 -- \
    /bin/sh "$folder/$key.sh" "$key" "$gen" 9>&- || exit 91
else
  has setsid || { echo 'setsid is needed' >&2; exit 91; }
  IFS=' .' read -r now rest </proc/uptime || exit 91
  setsid sh "$folder/$key.sh" "$key" "$gen" $((now + seconds + 1)) "$old" \
    </dev/null >/dev/null 2>&1 9>&- &
  tries=0
  until has_own_session $! 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || { echo 'setsid does not start' >&2; exit 91; }
    sleep 0.02 2>/dev/null || sleep 1
  done
fi
{
  echo "$gen"
  for word in "$epoch" "$2" "$3" "$4" "$5" "$6"; do printf '%s\n' "$word"; done
  shift 6
  while [ $# -ge 4 ]; do printf '%s\n' "$1 $2 $3 $4"; shift 4; done
} >"$folder/$key.new" && mv -f -- "$folder/$key.new" "$order" || exit 91
[ -z "$units" ] || [ "$old" = - ] || systemctl stop "hitless-wd-$key-$old.timer"
exit 0
)sh";

}  // namespace

std::string watchdog_script() {
  const std::string shared = std::string(ports::claim_functions) + kTalk;
  return shared + "fire() { cat <<'HITLESS_FIRE'\n" + shared + kFire + "HITLESS_FIRE\n}\n" + kVerbs;
}

}  // namespace hitless::watchdog
