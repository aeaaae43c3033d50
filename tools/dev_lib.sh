# shellcheck shell=bash
# Functions of ./dev: packages and builds.

export BUILD_PACKAGES=(clang-19 mold cmake ninja-build ccache pkg-config libboost1.81-dev libboost-json1.81-dev
  libboost-filesystem1.81-dev libcurl4-openssl-dev libssl-dev libyaml-cpp-dev libfmt-dev libcli11-dev
  libexpected-dev libsqlite3-dev libexpat1-dev libhowardhinnant-date-dev tzdata)
export DEMO_PACKAGES=(haproxy nginx-light)
export TEST_LIBRARIES=(libgtest-dev libgmock-dev libclang-rt-19-dev)
export BENCH_PACKAGES=(ansible)
export TEST_PACKAGES=(openssl openssh-server openssh-client iproute2 python3 socat curl sqlite3 procps awscli
  apache2-bin php8.2-fpm gunicorn redis-server postgresql-15 pgbouncer caddy npm
  prometheus-alertmanager)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

installed() { dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }

# Installs what is missing, and nothing when nothing is. nginx and haproxy must not be started by it.
need_packages() {
  local missing=() package
  for package in "$@"; do
    # Any flavour of nginx serves.
    if [ "$package" = nginx-light ] && command -v /usr/sbin/nginx >/dev/null; then continue; fi
    # A node from elsewhere brings its own.
    if [ "$package" = npm ] && command -v npm >/dev/null; then continue; fi
    installed "$package" || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing: ${missing[*]}" >&2
  local policy=/usr/sbin/policy-rc.d made_policy=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made_policy=1
  fi
  local ok=0 clusters=/etc/postgresql-common/createcluster.conf
  as_root apt-get update -qq >&2 || true
  # No cluster of the system's own: the tests make theirs.
  if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-common >&2 || true
    [ ! -e "$clusters" ] || as_root sed -i.hitless 's/^#*create_main_cluster.*/create_main_cluster = false/' "$clusters"
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 || ok=$?
  [ ! -e "$clusters.hitless" ] || as_root mv -f "$clusters.hitless" "$clusters"
  [ -z "$made_policy" ] || as_root rm -f "$policy"
  return "$ok"
}

configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" >/tmp/hitless-cmake.$$.log 2>&1 || {
    cat /tmp/hitless-cmake.$$.log >&2
    rm -f /tmp/hitless-cmake.$$.log
    return 1
  }
  rm -f /tmp/hitless-cmake.$$.log
  cmake --build --preset "$preset" ${1:+--target "$@"}
}

cpp_files() { git ls-files -z -- 'src/*.cpp' 'src/*.hpp' 'fuzz/*.cpp' 'cmake/*.cpp' 'tests/*.cpp' 'tests/*.hpp'; }
