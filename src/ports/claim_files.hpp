// How claims lie on a host, as the sh functions that every script that looks at them begins with:
// the coordination adapter writes them, the host adapter starts operations under their lock, and
// the watchdog looks who owns a service now.
//
// /run/hitless/claims (root) or /tmp/hitless-claims-UID, mode 700; a file SERVICE@PORT for each
// claim, replaced as a whole, and SERVICE.lock. A claim without a port (0) collides with every port
// of its service. Lines: epoch, end (seconds of this host's uptime), boot id, token, home, who,
// rollout, since (wall clock, for people). What cannot be read is an error, never "no claim".
#pragma once

namespace hitless::ports {

inline constexpr int claim_trouble_status = 91;  // folder, lock or file; the reason is on stderr
inline constexpr int fence_refused_status = 94;  // by fence(); the reason is on stderr

// private_folder NAME sets $folder. take_lock FILE holds it until this shell ends; a background
// process must be started with 9>&-. open_claims SERVICE PORT does both and sets $files.
inline constexpr const char* claim_functions = R"sh(
umask 077; LC_ALL=C; export LC_ALL uid=
# Builtins where they serve: each program that is started takes longer than the rest together.
while IFS='	 ' read -r field uid rest && [ "$field" != Uid: ]; do :; done </proc/self/status
case $uid in ''|*[!0-9]*) uid=$(id -u) || exit 91 ;; esac
private_folder() {
  above=
  if [ "$uid" = 0 ]; then
    above=/run/hitless folder=/run/hitless/$1
    [ -d "$above" ] || mkdir -m 755 -- "$above" 2>/dev/null
  else
    folder=/tmp/hitless-$1-$uid
  fi
  [ -d "$folder" ] || mkdir -m 700 -- "$folder" 2>/dev/null
  about=$(stat -c '%F|%u|%A' -- $above "$folder")
  if [ "$uid" = 0 ]; then
    case $about in
      'directory|0|d'????-??-?'
'*) about=${about#*"
"} ;;
      *) echo '/run/hitless is not a folder of root alone' >&2; return 1 ;;
    esac
  fi
  case $about in
    "directory|$uid|drwx--"[-S]---) ;;
    *) echo "$folder is not a private folder of this user; remove it" >&2; return 1 ;;
  esac
}
take_lock() {
  tries=0
  if command -v flock >/dev/null 2>&1; then
    # The file may be gone, and be another one, by the time that its lock is free.
    until exec 9>>"$1"; flock -n 9 && [ "$1" -ef /proc/self/fd/9 ]; do
      tries=$((tries + 1))
      [ $tries -le 100 ] || { echo "$1 stays locked" >&2; return 1; }
      sleep 0.05 2>/dev/null || sleep 1
    done
    return
  fi
  until mkdir -- "$1.held" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -le 100 ] || { echo "$1.held stays there; remove it if nobody works" >&2; return 1; }
    sleep 0.05 2>/dev/null || sleep 1
  done
  held=$1.held
  trap 'rmdir -- "$held"' EXIT
}
find_claims() {
  private_folder claims || return 1
  case $2 in
    0) files="$folder/$1@*" ;;
    *) files="$folder/$1@$2 $folder/$1@0" ;;
  esac
}
open_claims() {
  find_claims "$1" "$2" && take_lock "$folder/$1.lock"
}
read_claim() {
  { IFS= read -r c_epoch && IFS= read -r c_end && IFS= read -r c_boot && IFS= read -r c_token &&
    IFS= read -r c_home && IFS= read -r c_who && IFS= read -r c_rollout &&
    IFS= read -r c_since; } <"$1" || c_epoch=
  case $c_epoch in ''|*[!0-9]*) echo "$1 cannot be read as a claim; remove it" >&2; return 1 ;; esac
  case $c_end in ''|*[!0-9]*) echo "$1 cannot be read as a claim; remove it" >&2; return 1 ;; esac
}
fence() {
  [ "$1" != - ] || return 0
  open_claims "$1" "$2" || exit 91
  own=
  for file in $files; do
    [ -e "$file" ] || continue
    read_claim "$file" || exit 91
    if [ "$c_epoch" -gt "$3" ]; then
      echo "$1 was taken over by $c_who, rollout $c_rollout, epoch $c_epoch (ours: $3)" >&2
      exit 94
    fi
    [ "$file" != "$folder/$1@$2" ] || own=$c_epoch
  done
  [ "$own" = "$3" ] || { echo "there is no claim on $1 with epoch $3 (rebooted?)" >&2; exit 94; }
}
)sh";

}  // namespace hitless::ports
