# shellcheck shell=bash
# The lab's network: a switch namespace that holds the bridge, and one namespace per machine.
#
# The bridge is not in the root namespace because firewall rules there (Docker sets FORWARD to
# DROP, with br_netfilter) would cut bridged traffic between the machines. The root namespace has
# one leg, interface hl<index>, at .1. No machine has a default route: nothing leaves.

readonly BRIDGE=${HITLESS_LAB_BRIDGE:-hl-br0}

index_taken() {
  local index=$1 subnet=$2 file
  for file in "$LAB_ROOT"/*/index; do
    [[ ! -s $file ]] || { read -r other _ <"$file" && [[ $other == "$index" ]] && return 0; }
  done
  ip netns list | grep -q "^hl$index-" && return 0
  ip -o link show "hl$index" >/dev/null 2>&1 && return 0
  ip -o -4 addr show | grep -qF " $subnet."
}

# Chooses names and a subnet that nobody on this machine uses, and writes them down.
net_allocate() {
  local index subnet other
  take_lock 9 "$LAB_ROOT/.allocate.lock" 30 || die "cannot lock $LAB_ROOT/.allocate.lock"
  for index in {0..63}; do
    subnet=${HITLESS_LAB_SUBNET:-10.213.$index}
    index_taken "$index" "$subnet" && continue
    mkdir -p "$STATE"
    echo "$index $subnet" >"$STATE/index"
    exec 9>&-
    lab_paths
    return 0
  done
  die "no free lab index or subnet left (see $LAB_ROOT)"
}

# net_machine NAME: a namespace with eth0 at the machine's address, plugged into the switch.
net_machine() {
  local name=$1 ns=$PREFIX-$1
  ip netns add "$ns"
  ip -n "$ns" link set lo up
  ip -n "$PREFIX-sw" link add "$name" type veth peer name eth0 netns "$ns"
  ip -n "$PREFIX-sw" link set "$name" master "$BRIDGE" up
  ip -n "$ns" addr add "$(address_of "$name")/24" dev eth0
  ip -n "$ns" link set eth0 up
}

net_switch() {
  local ns=$PREFIX-sw
  ip netns add "$ns"
  ip -n "$ns" link add "$BRIDGE" type bridge
  ip -n "$ns" link set "$BRIDGE" up
  ip link add "$PREFIX" type veth peer name control netns "$ns"
  ip -n "$ns" link set control master "$BRIDGE" up
  ip addr add "$(address_of control)/24" dev "$PREFIX"
  ip link set "$PREFIX" up
}

# The cable: down on the switch's side, so that neither end is told.
net_cable() { ip -n "$PREFIX-sw" link set "$1" "$2"; }

cmd_host_freeze() { need_up; need_host "${1:-}"; net_cable "$1" down; }
cmd_host_thaw() { need_up; need_host "${1:-}"; net_cable "$1" up; }

net_namespaces() { ip netns list | awk -v p="^$PREFIX-" '$1 ~ p {print $1}'; }

# Every process of a lab runs in one of its namespaces, the nspawn supervisors too.
net_pids() {
  local ns
  for ns in $(net_namespaces); do ip netns pids "$ns"; done
}

net_remove() {
  local ns
  for ns in $(net_namespaces); do ip netns del "$ns" || true; done
  ip link del "$PREFIX" 2>/dev/null || true
}
