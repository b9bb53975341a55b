#!/usr/bin/env bash
# `make chaos`: tests/chaos/run.py with the debug build, or with the binary that SERVICE names. Arguments go to it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

scripts/ensure-tools.sh --test
mkdir -p target
lock target/chaos.lock
if [[ -z ${SERVICE:-} ]]; then
  guarded cargo build --locked --bin ict-index
  export SERVICE=${CARGO_TARGET_DIR:-target}/debug/ict-index
fi
# It has clusters of its own; this sees to it that there are programs to make them with.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null || [[ -n ${POSTGRES_BIN:-} ]] ||
  { scripts/postgres.sh start target/pg-chaos --test && scripts/postgres.sh remove target/pg-chaos; }
guarded python3 -B tests/chaos/run.py "$@"
