# shellcheck shell=bash
# The hosts: overlay, what makes each one itself, boot, power, commands, reset.

host_dir() { echo "$STATE/hosts/$1"; }

# hosts_keys: one client key for the lab; the host keys are in each host's folder.
hosts_keys() {
  ssh-keygen -q -t ed25519 -N '' -C "deploy@lab-$LAB_NAME" -f "$STATE/key"
}

host_mount() {
  local dir=$1 base=$2
  mkdir -p "$dir/upper" "$dir/work" "$dir/root"
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
}

# host_create NAME BASE: disk and identity.
host_create() {
  local name=$1 base=$2 dir root other
  dir=$(host_dir "$name") root=$dir/root
  mkdir -p "$dir"
  [[ -s $dir/host_key ]] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/host_key"
  host_mount "$dir" "$base"
  echo "$name" >"$root/etc/hostname"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id.new"
  mv "$root/etc/machine-id.new" "$root/etc/machine-id"
  {
    echo "127.0.0.1 localhost"
    echo "$(address_of dep) api-gateway"
    for other in "${LAB_LBS[@]}" $(lab_hosts_wanted); do echo "$(address_of "$other") $other"; done
  } >"$root/etc/hosts"
  install -m 600 "$dir/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
  install -m 644 "$dir/host_key.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
  install -m 600 "$STATE/key.pub" "$root/home/deploy/.ssh/authorized_keys"
  chown --reference="$root/home/deploy" "$root/home/deploy/.ssh/authorized_keys"
}

lab_hosts_wanted() { seq -f 'web%02g' 1 "$(cat "$STATE/size")"; }

host_boot() {
  local dir
  dir=$(host_dir "$1")
  spawn "$dir/pid" "$dir/console.log" nsenter --net="/run/netns/$PREFIX-$1" \
    "$LAB_HOME/lib/supervise" "$1" "$PREFIX" "$dir/root"
}

# The host's init as this machine sees it: supervisor -> nspawn -> init in another pid namespace.
host_leader() {
  local pid nspawn init
  pid=$(live_pid "$(host_dir "$1")/pid") || return 1
  # These files end without a newline, so `read` fails at their end although it has read.
  read -r nspawn _ <"/proc/$pid/task/$pid/children" || [[ -n $nspawn ]] || return 1
  read -r init _ <"/proc/$nspawn/task/$nspawn/children" || [[ -n $init ]] || return 1
  [[ $(readlink "/proc/$init/ns/pid") != "$(readlink /proc/self/ns/pid)" ]] && echo "$init"
}

host_run() { # host_run HOST CMD...: as root, not over the network
  local leader name=$1
  leader=$(host_leader "$name") || { say "$name is not running"; return 1; }
  shift
  nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
}

http_ok() { curl -fsS -o /dev/null --max-time 2 --noproxy '*' "$1" 2>/dev/null; }
ssh_ok() { (: <"/dev/tcp/$1/22") 2>/dev/null; }

host_answers() {
  local address
  address=$(address_of "$1")
  http_ok "http://$address/healthz/deep" && ssh_ok "$address"
}

# Kills everything in the host at once: pid 1 of its pid namespace takes the rest along.
host_power_off() {
  local leader tries=100
  leader=$(host_leader "$1") || leader=""
  stop_pid "$(host_dir "$1")/pid"
  [[ -z $leader ]] || kill -KILL "$leader" 2>/dev/null || true
  while [[ -n $(ip netns pids "$PREFIX-$1") ]]; do
    ((tries-- > 0)) || die "processes stay in $1"
    ip netns pids "$PREFIX-$1" | xargs -r kill -KILL 2>/dev/null || true
    sleep 0.05
  done
}

cmd_exec() {
  need_up
  need_host "${1:-}"
  local name=$1
  shift
  [[ ${1:-} != -- ]] || shift
  (($#)) || die "exec: no command"
  host_run "$name" "$@"
}

cmd_ssh() { need_up; need_host "${1:-}"; exec ssh -F "$STATE/ssh_config" "$@"; }
cmd_host_kill() { need_up; need_host "${1:-}"; lock_lab; host_power_off "$1"; }

cmd_host_start() {
  need_up
  need_host "${1:-}"
  lock_lab
  live_pid "$(host_dir "$1")/pid" >/dev/null || host_boot "$1"
  wait_for "$BOOT_DEADLINE_S" "$1" host_answers "$1" || die "$1 does not answer"
  describe
}

hosts_ssh_config() {
  local name
  : >"$STATE/known_hosts"
  for name in $(host_names); do
    cat <<EOF
Host $name
  HostName $(address_of "$name")
  User deploy
  IdentityFile $STATE/key
  IdentitiesOnly yes
  UserKnownHostsFile $STATE/known_hosts
  StrictHostKeyChecking yes

EOF
    echo "$name,$(address_of "$name") $(cut -d' ' -f1,2 "$(host_dir "$name")/host_key.pub")" >>"$STATE/known_hosts"
  done >"$STATE/ssh_config"
}

# What "pristine" means: a copy of the overlay's upper layer once the host has settled.
host_snapshot() {
  local dir
  dir=$(host_dir "$1")
  rm -rf "$dir/pristine"
  cp -a "$dir/upper" "$dir/pristine"
  rm -rf "$dir/pristine/var/log/journal"
}

# Files back in place, foreign units gone, services started anew: about two seconds.
host_restore() {
  local name=$1 dir
  dir=$(host_dir "$name")
  host_run "$name" /bin/sh -c '
    systemctl stop app.service nginx.service "hitless*" "run-*" 2>/dev/null
    rm -rf /run/hitless* /run/systemd/transient/* /tmp/* /tmp/.[!.]*' || return 1
  /usr/bin/python3 "$LAB_HOME/lib/restore.py" "$dir" "$(cat "$STATE/base")" || return 1
  host_run "$name" /bin/sh -c '
    systemctl daemon-reload; systemctl reset-failed
    systemctl unmask --quiet --runtime app.service nginx.service
    systemctl start nginx.service app.service'
}

host_reset() {
  local name=$1 dir
  dir=$(host_dir "$name")
  net_cable "$name" up
  if [[ -n ${2:-} ]] || ! host_leader "$name" >/dev/null || ! host_restore "$name"; then
    say "$name: fresh disk and boot"
    host_power_off "$name"
    umount "$dir/root" 2>/dev/null || umount -l "$dir/root" 2>/dev/null || true
    rm -rf --one-file-system "$dir/upper" "$dir/work"
    host_create "$name" "$(cat "$STATE/base")"
    host_boot "$name"
    wait_for "$BOOT_DEADLINE_S" "$name" host_answers "$name" || die "$name does not answer"
    sleep 0.3
    host_snapshot "$name"
  fi
  wait_for 20 "$name" host_answers "$name"
}
