#!/usr/bin/env bash
# tight_loop.sh SSH_CONFIG BACKEND PORT restart|reload UNIT "SOCKET..." HOST=ADDRESS...
# What a skilled hand writes: kept ssh connections, runtime commands by socat, short polls. It waits for each step and
# checks nothing else: not that the restart took effect, not the capacity, not who else took something out.
set -euo pipefail
ssh_config=$1 backend=$2 port=$3 verb=$4 unit=$5 sockets=$6
shift 6
control=$(mktemp -d)
close() {
  local master
  for master in "$control"/*; do
    [ ! -S "$master" ] || ssh -o ControlPath="$master" -O exit x 2>/dev/null || true
  done
  rm -rf "$control"
}
trap close EXIT

on_host() {
  local host=$1
  shift
  ssh -F "$ssh_config" -o ControlMaster=auto -o ControlPersist=60 -o ControlPath="$control/$host" "$host" "$@"
}
tell() { # COMMAND: to every node; HAProxy says nothing when it obeys
  local socket answer
  for socket in $sockets; do
    answer=$(echo "$1" | socat -t 5 stdio "UNIX-CONNECT:$socket")
    [ -z "$answer" ] || { echo "$socket: $answer" >&2; return 1; }
  done
}
every_node() { # AWK-CONDITION on a row of `show stat`: status is $18, scur $5, qcur $3
  local socket
  for socket in $sockets; do
    echo "show stat" | socat -t 5 stdio "UNIX-CONNECT:$socket" |
      awk -F, -v b="$backend" -v s="$host" '$1 == b && $2 == s && '"$1"' { found = 1 } END { exit !found }' || return 1
  done
}
until_ok() { until "$@"; do sleep 0.05; done; }

# shellcheck disable=SC2016
for pair in "$@"; do
  host=${pair%%=*} address=${pair#*=}
  tell "set server $backend/$host state drain"
  until_ok every_node '$5 == 0 && $3 == 0'
  on_host "$host" sudo systemctl "$verb" "$unit"
  until_ok curl -fsS -m 2 -o /dev/null "http://$address:$port/healthz" 2>/dev/null
  tell "set server $backend/$host state ready"
  until_ok every_node '$18 ~ /^UP/ && $18 !~ /[/]/'
done
