// Which units run what is gone: sh functions for the scripts that list or restart them.
//
// A unit is stale when one of its processes maps a file below /usr, /lib, /bin, /sbin, /opt or /srv
// that was deleted or replaced, or when a package that owns its unit file, its program or a file
// named on its command line was unpacked after its main process started, or when needrestart, where
// it is installed, names it. All are read from the kernel, dpkg and needrestart each time, so that
// nothing has to be remembered over a crash.
#pragma once

namespace hitless::service {

// After gone=$(list_gone) and named=$(list_named), `stale UNIT` prints why and returns 0 when it
// is.
inline constexpr const char* stale_functions = R"sh(
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH
tick=$(getconf CLK_TCK 2>/dev/null); tick=${tick:-100}
unit_of() {
  sed -n 's,^.*/\([^/]*\.service\)\(/.*\)\{0,1\}$,\1,p' "/proc/$1/cgroup" 2>/dev/null | head -n 1
}
list_gone() {
  grep -H -m1 -E ' /(usr|lib|lib32|lib64|bin|sbin|opt|srv)/.* \(deleted\)$' /proc/[0-9]*/maps 2>/dev/null |
    while IFS= read -r line; do
      pid=${line#/proc/}; pid=${pid%%/*}
      unit=$(unit_of "$pid")
      [ -z "$unit" ] || printf '%s runs %s, which was replaced\n' "$unit" "$(printf '%s' "$line" | sed 's,^[^ ]* *[^ ]* *[^ ]* *[^ ]* *[^ ]* *,,; s, (deleted)$,,' | cut -c1-120)"
    done | sort -u -k1,1
}
# What needrestart knows beside: scripts of an interpreter that were replaced, for one.
list_named() {
  command -v needrestart >/dev/null 2>&1 || return 0
  needrestart -b -r l 2>/dev/null </dev/null |
    sed -n 's/^NEEDRESTART-SVC: *\([^ ]*\).*$/\1 is named by needrestart/p' | head -n 100
}
# In hundredths of a second since the epoch.
started_at() {
  IFS= read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
  set -f; set -- ${stat##*) }; set +f
  shift 19
  IFS=' .' read -r up part rest </proc/uptime
  echo $(($(date +%s%2N) - $up$part + $1 * 100 / tick))
}
owners() {
  for file in "$@"; do
    # A folder belongs to every package that puts something there, and a pattern to many.
    case $file in *[\\*?[]*) continue ;; /*) ;; *) continue ;; esac
    [ ! -d "$file" ] || continue
    dpkg-query -S -- "$file" "${file#/usr}" 2>/dev/null
  done | grep -v '^diversion ' | sed 's/: .*//; s/, /\n/g' | sort -u
}
outdated() {
  pid=$(systemctl show -p MainPID --value -- "$1") || return 1
  case $pid in *[!0-9]*|''|0) return 1 ;; esac
  start=$(started_at "$pid") || return 1
  exe=$(readlink "/proc/$pid/exe" | sed 's, (deleted)$,,')
  fragment=$(systemctl show -p FragmentPath --value -- "$1")
  set -f; IFS='
'; set -- "$1" "$exe" "$fragment" $(tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 30); set +f; unset IFS
  unit=$1; shift
  for package in $(owners "$@"); do
    for list in "/var/lib/dpkg/info/$package.list" "/var/lib/dpkg/info/${package%%:*}:"*.list; do
      [ -f "$list" ] || continue
      # Rounded down: a process that started just after is not taken for an old one.
      [ "$(stat -c %Y -- "$list")00" -gt "$start" ] || continue
      echo "$unit was started before its package $package was upgraded"
      return 0
    done
  done
  return 1
}
stale() {
  printf '%s\n%s\n' "$gone" "$named" | wanted=$1 awk '$1 == ENVIRON["wanted"] { print; found = 1; exit } END { exit !found }' ||
    outdated "$1"
}
)sh";

}  // namespace hitless::service
