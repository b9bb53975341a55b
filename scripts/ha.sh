#!/usr/bin/env bash
# `make ha`: tests/ha/run.py with the release build, whose times are promised, or with the binary that SERVICE names. Arguments go to it. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

((EUID == 0)) || die "network namespaces and small disks take root: run this as root"
scripts/ensure-tools.sh --test
mkdir -p target
lock /run/lock/ict-index-ha.lock            # the networks have one name on this machine
missing=()
need() { command -v "$1" >/dev/null || [[ -x $2 ]] || missing+=("${@:3}"); }
need patroni /usr/bin/patroni patroni python3-etcd
need etcd /usr/bin/etcd etcd-server
need haproxy /usr/sbin/haproxy haproxy
need ip /usr/sbin/ip iproute2
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)
if ((${#missing[@]})); then
  # Debian's packages would at once start servers of their own, and a cluster on port 5432, which is not wanted here.
  drop_in=/etc/postgresql-common/createcluster.d/ict-index.conf policy=/usr/sbin/policy-rc.d
  echo 'create_main_cluster = false' | install -D -m 644 /dev/stdin "$drop_in"
  cleanup="rm -f '$drop_in'"
  # A policy of this machine's own stays; one that a killed run of this script left is known by its mark and replaced.
  mark='# Made by ict-index: scripts/ha.sh'
  if [[ ! -e $policy ]] || grep -qxF "$mark" "$policy"; then
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | install -m 755 /dev/stdin "$policy"
    cleanup+=" '$policy'"
  fi
  # shellcheck disable=SC2064
  trap "$cleanup" EXIT
  apt_install "a cluster's programs" "${missing[@]}"
  # Packages that are installed later start their servers as they always do.
  eval "$cleanup"
  trap - EXIT
fi
if [[ -z ${SERVICE:-} ]]; then
  guarded cargo build --release --locked --bin ict-index
  export SERVICE=${CARGO_TARGET_DIR:-target}/release/ict-index
fi
guarded python3 -B tests/ha/run.py "$@"
