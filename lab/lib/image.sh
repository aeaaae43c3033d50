# shellcheck shell=bash
# The cached base system: one debootstrap with the lab's files laid over it, read-only afterwards.
#
# The folder's name carries a hash of everything that went into it, so a changed setup builds a new
# one. A build runs in its own mount and pid namespace and dies with this script.

readonly IMAGE_SUITE=bookworm
readonly IMAGE_PACKAGES=systemd,systemd-sysv,dbus,openssh-server,sudo,nginx,python3,iproute2,procps,curl,netbase,apache2,haproxy,php8.2-fpm,gunicorn,redis-server,needrestart
readonly OUTER_PACKAGES=(systemd-container debootstrap debian-archive-keyring haproxy openssh-client
  iproute2 socat python3 util-linux procps)

cmd_deps() {
  need_root
  local missing=() package
  for package in "${OUTER_PACKAGES[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  say "installing ${missing[*]}"
  apt-get update -q >&2
  # Nothing of it shall start on this machine: a lab's haproxy is started by the lab.
  local policy=/usr/sbin/policy-rc.d made=""
  [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; made=1; }
  local rc=0
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}" >&2 || rc=$?
  [[ -z $made ]] || rm -f "$policy"
  ((rc == 0)) || die "apt-get could not install: ${missing[*]}"
}

image_hash() {
  {
    echo "$IMAGE_SUITE $IMAGE_PACKAGES"
    (cd "$LAB_HOME/image" && find . -type f ! -name '*.pyc' -printf '%p %m\n' -exec sha256sum {} + | sort)
  } | sha256sum | cut -c1-12
}

# The machine's own Debian mirror, from either format of sources list.
image_mirror() {
  if [[ -n ${HITLESS_LAB_MIRROR:-} ]]; then echo "$HITLESS_LAB_MIRROR"; return; fi
  local found
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | awk -v suite=$IMAGE_SUITE '
    $1 == "deb" { i = 2; if ($2 ~ /^\[/) { while ($i !~ /\]$/) i++; i++ }
                  if ($(i+1) == suite && $0 ~ /main/) { print $i; exit } }
    $1 == "URIs:" { uri = $2 }
    $1 == "Suites:" && uri { for (i = 2; i <= NF; i++) if ($i == suite) { print uri; exit } }')
  echo "${found:-http://deb.debian.org/debian}"
}

image_dir() { echo "$LAB_CACHE/base-$(image_hash)"; }

image_drop_stale() { # builds whose builder is gone
  local dir
  for dir in "$LAB_CACHE"/building-*; do
    [[ -d $dir ]] || continue
    live_pid "$dir/builder" >/dev/null || rm -rf --one-file-system "$dir"
  done
}

image_drop_old() { # keeps the newest three and those that a lab uses
  local dir
  find "$LAB_CACHE" -maxdepth 1 -name 'base-*' -printf '%T@ %p\n' | sort -rn | tail -n +4 | cut -d' ' -f2 |
    while read -r dir; do
      grep -qF "lowerdir=$dir," /proc/self/mountinfo || rm -rf --one-file-system "$dir"
    done
}

cmd_prepare() { image_prepare; echo "$BASE"; }

# Sets BASE. Not for use in $(...): the build must be the child of this very process to die with it.
image_prepare() {
  need_root
  cmd_deps
  local base
  base=$(image_dir)
  if [[ ! -e $base/.complete ]]; then
    mkdir -p "$LAB_CACHE"
    exec 7>"$LAB_CACHE/.lock"
    flock -w 1200 7 || die "another build holds $LAB_CACHE/.lock"
    [[ -e $base/.complete ]] || image_build "$base"
    exec 7>&-
  fi
  BASE=$base
}

image_build() {
  local base=$1 mirror started=$SECONDS work=$LAB_CACHE/building-$$
  mirror=$(image_mirror)
  image_drop_stale
  mkdir -p "$work/root" "$LAB_CACHE/debs"
  record_pid $$ "$work/builder"
  say "building the base system from $mirror (a minute or more; log: $LAB_CACHE/build.log)"
  # pdeathsig and kill-child: when this script is killed, so is the whole build with its mounts.
  if ! setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL nice -n 10 \
    debootstrap --variant=minbase --cache-dir="$LAB_CACHE/debs" --include="$IMAGE_PACKAGES" \
    "$IMAGE_SUITE" "$work/root" "$mirror" >"$LAB_CACHE/build.log" 2>&1; then
    tail -n 5 "$LAB_CACHE/build.log" >&2
    die "debootstrap failed, see $LAB_CACHE/build.log"
  fi
  cp -a --no-preserve=ownership "$LAB_HOME/image/rootfs/." "$work/root/"
  cp "$LAB_HOME/image/setup.sh" "$work/root/root/setup.sh"
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --root="$work/root" \
    /bin/sh /root/setup.sh >>"$LAB_CACHE/build.log" 2>&1 ||
    die "image/setup.sh failed, see $LAB_CACHE/build.log"
  rm -rf "$work/root/root/setup.sh"
  touch "$work/root/.complete"
  rm -rf --one-file-system "$base"
  mv "$work/root" "$base"
  rm -rf "$work"
  image_drop_old
  say "base system ready after $((SECONDS - started)) s: $base"
}
