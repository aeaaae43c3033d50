# shellcheck shell=bash
# up, down, status, reset, guard.

cmd_up() {
  need_root
  local size=${1:-3} started=$SECONDS
  [[ $size =~ ^([1-9]|[1-4][0-9]|50)$ ]] || die "up: number of hosts must be 1..50"
  lock_lab
  if [[ -e $STATE/ready ]]; then
    [[ $(cat "$STATE/size") == "$size" ]] || die "lab '$LAB_NAME' is up with $(cat "$STATE/size") hosts (lab down first)"
    say "already up: $STATE"
    return 0
  fi
  [[ ! -e $STATE ]] || remove_all
  image_prepare
  net_allocate
  echo "$size" >"$STATE/size"
  # shellcheck disable=SC2153
  echo "$BASE" >"$STATE/base"
  chmod 700 "$STATE"
  build_lab "$BASE"
  touch "$STATE/ready"
  say "$size hosts up after $((SECONDS - started)) s; state in $STATE"
}

build_lab() {
  local base=$1 name
  mkdir -p "$STATE/hosts"
  mount -t tmpfs -o mode=700 "hitless-lab" "$STATE/hosts"
  hosts_keys
  net_switch
  for name in dep "${LAB_LBS[@]}" $(lab_hosts_wanted); do net_machine "$name"; done
  for name in $(lab_hosts_wanted); do
    host_create "$name" "$base"
    host_boot "$name"
  done
  dep_start
  hosts_ssh_config
  for name in $(host_names); do
    wait_for "$BOOT_DEADLINE_S" "$name" host_answers "$name" || die "$name does not answer, see $(host_dir "$name")/console.log"
  done
  for name in "${LAB_LBS[@]}"; do lb_start "$name"; done
  for name in "${LAB_LBS[@]}"; do
    wait_for 20 "servers UP on $name" lb_all_up "$name" || die "see $(lb_dir "$name")/haproxy.log"
  done
  for name in $(host_names); do host_snapshot "$name"; done
  describe
}

# lab.json and lab.env: all that a test or a controller needs to know, current pids included.
describe() {
  local name leader
  {
    echo "name $LAB_NAME"
    echo "state $STATE"
    echo "index $LAB_INDEX"
    echo "subnet $SUBNET"
    echo "base $(cat "$STATE/base")"
    echo "dep $(address_of dep) $DEP_PORT $(live_pid "$STATE/dep/pid" || echo 0)"
    for name in "${LAB_LBS[@]}"; do
      echo "lb $name $(address_of "$name") $STATS_PORT $(live_pid "$(lb_dir "$name")/pid" || echo 0)"
    done
    for name in $(host_names); do
      leader=$(host_leader "$name") || leader=0
      echo "host $name $(address_of "$name") $leader"
    done
  } | /usr/bin/python3 "$LAB_HOME/lib/describe.py" "$STATE"
}

# Removes everything of this lab that can be found by record or by name. Safe to repeat.
remove_all() {
  local pid tries=100 mountpoint dir
  pid=$(live_pid "$STATE/guard.pid") && [[ $pid != "${HITLESS_LAB_GUARD:-}" ]] && kill -KILL -- "-$pid" 2>/dev/null
  if [[ -n $PREFIX ]]; then
    while [[ -n $(net_pids) ]]; do
      ((tries-- > 0)) || die "processes stay: $(net_pids | xargs)"
      net_pids | xargs -r kill -KILL 2>/dev/null || true
      sleep 0.05
    done
  fi
  for dir in "$STATE"/hosts/web*/root; do # nspawn that is killed leaves its lock file
    [[ ! -d $dir ]] || rm -f "/run/systemd/nspawn/locks/inode-$(stat -c %d:%i "$dir")"
  done
  # Deepest first.
  awk -v top="$STATE/" 'index($5, top) == 1 { print length($5), $5 }' /proc/self/mountinfo | sort -rn |
    while read -r _ mountpoint; do umount "$mountpoint" 2>/dev/null || umount -l "$mountpoint"; done
  if [[ -n $PREFIX ]]; then
    net_remove
    for dir in /sys/fs/cgroup{,/unified,/systemd,/memory}/hitless-lab/"$PREFIX"-*; do
      [[ ! -d $dir ]] || remove_cgroup "$dir"
    done
    rmdir /sys/fs/cgroup{,/unified,/systemd,/memory}/hitless-lab 2>/dev/null || true
    rm -rf /run/systemd/nspawn/propagate/"$PREFIX"-*
  fi
  rm -rf --one-file-system "$STATE"
}

remove_cgroup() {
  local tries=50
  while [[ -d $1 ]]; do
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
    ((tries-- > 0)) || { say "cgroup $1 stays"; return 0; }
    [[ ! -d $1 ]] || sleep 0.05
  done
}

cmd_down() {
  need_root
  lock_lab 120
  remove_all
  image_drop_stale
  exec 8>&-
  rm -f "$LAB_ROOT/.$LAB_NAME.lock"
  if [[ -z $(find "$LAB_ROOT" -mindepth 1 ! -name .allocate.lock -print -quit) ]]; then
    rm -rf "$LAB_ROOT"
  fi
}

cmd_status() {
  local name
  if [[ ! -e $STATE/ready ]]; then
    if [[ -e $STATE ]]; then echo "lab '$LAB_NAME': incomplete (lab down removes it)"; else echo "lab '$LAB_NAME': down"; fi
    return 1
  fi
  if [[ ${1:-} == --json ]]; then describe; cat "$STATE/lab.json"; return; fi
  echo "lab '$LAB_NAME': up, state $STATE, subnet $SUBNET.0/24"
  for name in $(host_names); do
    printf '  %-6s %-14s %s, link %s\n' "$name" "$(address_of "$name")" \
      "$(host_leader "$name" >/dev/null && echo running || echo off)" \
      "$(ip -n "$PREFIX-sw" -o link show "$name" | grep -q '[<,]UP[,>]' && echo up || echo frozen)"
  done
  for name in "${LAB_LBS[@]}"; do
    printf '  %-6s %-14s %s\n' "$name" "$(address_of "$name")" \
      "$(lb_ask "$name" 'show stat' 2>/dev/null | awk -F, '$1 ~ /^be_/ && $2 ~ /^web/ {printf "%s/%s=%s ", $1, $2, $18}' || true)"
  done
  printf '  %-6s %-14s %s\n' dep "$(address_of dep)" "$(live_pid "$STATE/dep/pid" >/dev/null && echo running || echo stopped)"
}

cmd_reset() {
  need_up
  local boot="" names name job jobs=() rc=0
  [[ ${1:-} != --boot ]] || { boot=boot; shift; }
  lock_lab
  if (($#)); then need_host "$1"; names=$1; else names=$(host_names); fi
  for name in "${LAB_LBS[@]}"; do lb_stop "$name"; done
  for name in $names; do
    host_reset "$name" "$boot" &
    jobs+=("$!")
  done
  for job in "${jobs[@]}"; do wait "$job" || rc=1; done
  ((rc == 0)) || die "reset failed"
  dep_start
  for name in "${LAB_LBS[@]}"; do lb_reset "$name"; done
  for name in "${LAB_LBS[@]}"; do wait_for 20 "servers UP on $name" lb_all_up "$name"; done
  describe
}

cmd_guard() {
  local watched=${1:-}
  [[ $watched =~ ^[0-9]+$ && -d /proc/$watched ]] || die "guard: no process '${watched}'"
  [[ -d $STATE ]] || die "lab '$LAB_NAME' is not up"
  # shellcheck disable=SC2016
  spawn "$STATE/guard.pid" /dev/null bash -c '
    tail --pid="$1" -s 0.5 -f /dev/null
    cd / && HITLESS_LAB_GUARD=$$ exec "$2" -n "$3" down' guard "$watched" "$LAB_HOME/lab" "$LAB_NAME"
}
