#!/usr/bin/env bash
# `make test`: the whole suite against a private PostgreSQL under target/pg-test. Arguments go to `cargo test`.
# TEST_DATABASE_URL, if set, names another server to use; its user must be allowed to create databases.
# POSTGRES_VERSION=15|16|17|18 has another major version than the system's newest; see scripts/postgres-version.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

scripts/ensure-tools.sh --test
# Properties are tried with the same cases every time: a run fails for a change, not by chance. `make fuzz` looks for new ones.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-332}
if [[ -z ${TEST_DATABASE_URL:-} ]]; then
  cluster=target/pg-test
  mkdir -p target
  lock target/test.lock --wait
  if [[ -n ${POSTGRES_VERSION:-} ]]; then
    POSTGRES_BIN=$(scripts/postgres-version.sh "$POSTGRES_VERSION") || exit
    export POSTGRES_BIN
    cluster=target/pg-test-$POSTGRES_VERSION
  fi
  # shellcheck disable=SC2064
  trap "scripts/postgres.sh stop $cluster" EXIT
  scripts/postgres.sh start "$cluster" --test
  TEST_DATABASE_URL=$(scripts/postgres.sh url "$cluster" postgres)
  export TEST_DATABASE_URL
fi
guarded cargo test --locked "$@"
