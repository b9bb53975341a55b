#!/usr/bin/env bash
# `make edge-times`: what the largest requests do to memory and to probes of `/readyz` meanwhile.
# Starts a service of its own (SERVICE=... names a binary; otherwise the debug build, whose times say little). Arguments go to edge_times.py.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/service.sh
. scripts/service.sh

scripts/ensure-tools.sh --test
mkdir -p target/edge
lock target/edge/lock
start_service "$(realpath target/edge)" target/pg-edge
ulimit -n "$(ulimit -Hn)"
guarded python3 -B scripts/edge_times.py "$api" --pid "$server" "$@"
