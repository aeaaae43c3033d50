# shellcheck shell=bash
# The two HAProxy nodes and the api-gateway dependency: processes of this machine, each in its
# own namespace of the lab's network.

lb_dir() { echo "$STATE/$1"; }

# lb_config NAME: its haproxy.cfg. No server state is kept, so that a reload forgets drain and
# maint as it does on most real installations.
lb_config() {
  local dir name
  dir=$(lb_dir "$1")
  cat <<EOF
global
    log stdout format raw local0
    nbthread 1
    maxconn 4000
    stats socket $dir/admin.sock mode 600 level admin expose-fd listeners
    stats socket ipv4@$(address_of "$1"):$STATS_PORT level admin
    stats timeout 2m

defaults
    mode http
    log global
    option httplog
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 10s
    default-server check inter 200ms fastinter 200ms downinter 200ms rise 2 fall 3

frontend fe_web
    bind :80
    default_backend be_web

frontend fe_app
    bind :81
    default_backend be_app
EOF
  lb_backend be_web 80
  lb_backend be_app 8080
}

lb_backend() {
  local name
  printf '\nbackend %s\n    balance roundrobin\n    option httpchk\n' "$1"
  printf '    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host lab\n    http-check expect status 200\n'
  for name in $(host_names); do
    printf '    server %s %s:%s\n' "$name" "$(address_of "$name")" "$2"
  done
}

lb_start() {
  local dir
  dir=$(lb_dir "$1")
  mkdir -p "$dir"
  [[ -s $dir/haproxy.cfg ]] || lb_config "$1" >"$dir/haproxy.cfg"
  spawn "$dir/pid" "$dir/haproxy.log" nsenter --net="/run/netns/$PREFIX-$1" \
    haproxy -W -S "$dir/master.sock,mode,600" -f "$dir/haproxy.cfg"
}

lb_stop() {
  stop_pid "$(lb_dir "$1")/pid"
  ip netns pids "$PREFIX-$1" | xargs -r kill -KILL 2>/dev/null || true
}

lb_ask() { # lb_ask NODE COMMAND
  printf '%s\n' "$2" | socat -t 2 - "UNIX-CONNECT:$(lb_dir "$1")/admin.sock"
}

# All servers of all backends UP after at least one passed check.
lb_all_up() {
  lb_ask "$1" 'show stat' | awk -F, '
    $1 ~ /^be_/ && $2 ~ /^web/ { n++; if ($18 != "UP" || $37 !~ /^L7OK/) bad = 1 }
    END { exit (n == 0 || bad) }'
}

lb_worker() { # pid of the current worker
  printf 'show proc\n' | socat -t 2 - "UNIX-CONNECT:$(lb_dir "$1")/master.sock" |
    awk '$2 == "worker" { print $1; exit }'
}
lb_worker_changed() { local now; now=$(lb_worker "$1") && [[ -n $now && $now != "$2" ]]; }

cmd_lb_reload() {
  need_up
  need_lb "${1:-}"
  local before pid
  pid=$(live_pid "$(lb_dir "$1")/pid") || die "$1 is not running"
  before=$(lb_worker "$1")
  kill -USR2 "$pid"
  wait_for 10 "new worker of $1" lb_worker_changed "$1" "$before"
}

cmd_lb_stop() { need_up; need_lb "${1:-}"; lb_stop "$1"; }

cmd_lb_start() {
  need_up
  need_lb "${1:-}"
  live_pid "$(lb_dir "$1")/pid" >/dev/null || lb_start "$1"
  wait_for 20 "$1" lb_all_up "$1"
  describe
}

# Back to the generated configuration, a new process, all servers in.
lb_reset() {
  lb_stop "$1"
  lb_config "$1" >"$(lb_dir "$1")/haproxy.cfg"
  lb_start "$1"
}

dep_start() {
  live_pid "$STATE/dep/pid" >/dev/null && return 0
  mkdir -p "$STATE/dep"
  spawn "$STATE/dep/pid" "$STATE/dep/log" nsenter --net="/run/netns/$PREFIX-dep" \
    /usr/bin/python3 -u "$LAB_HOME/lib/api_gateway.py" "$(address_of dep)" "$DEP_PORT"
  wait_for 10 "api-gateway" http_ok "http://$(address_of dep):$DEP_PORT/healthz"
}

cmd_dep() {
  need_up
  case ${1:-} in
    start) dep_start; describe ;;
    stop) stop_pid "$STATE/dep/pid" ;;
    *) die "dep: start or stop" ;;
  esac
}
