#!/usr/bin/env bash
# `make test`: the whole suite against a private PostgreSQL under target/pg-test. Arguments go to `cargo test`.
# TEST_DATABASE_URL, if set, names another server to use; its user must be allowed to create databases.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

scripts/ensure-tools.sh --test
if [[ -z ${TEST_DATABASE_URL:-} ]]; then
  mkdir -p target
  lock target/test.lock --wait
  trap 'scripts/postgres.sh stop target/pg-test' EXIT
  scripts/postgres.sh start target/pg-test --test
  TEST_DATABASE_URL=$(scripts/postgres.sh url target/pg-test postgres)
  export TEST_DATABASE_URL
fi
guarded cargo test --locked "$@"
