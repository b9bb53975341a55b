#!/usr/bin/env bash
# `make run`: builds the service and runs it with demo data until Ctrl-C. Without DATABASE_URL it has a private PostgreSQL
# under target/pg-run; the secrets of the demo are kept in target/dev, so that the next run finds the same accounts.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

scripts/ensure-tools.sh
mkdir -p target/dev
binary=${CARGO_TARGET_DIR:-target}/release/ict-index
export BIND_ADDRESS=${BIND_ADDRESS:-127.0.0.1:8080} TOKEN_KEY_FILE=${TOKEN_KEY_FILE:-target/dev/token.keys}

say "building (the first time takes some minutes)"
guarded cargo build --release --locked --bin ict-index || die "the build failed"

if [[ -n ${DATABASE_URL:-} ]]; then
  say "using DATABASE_URL from the environment: demo accounts and demo data go there"
else
  lock target/dev/run.lock
  trap 'scripts/postgres.sh stop target/pg-run' EXIT
  scripts/postgres.sh start target/pg-run
  scripts/postgres.sh create target/pg-run ict_index
  DATABASE_URL=$(scripts/postgres.sh url target/pg-run ict_index)
  export DATABASE_URL
fi

# Demo accounts are logged in to by their password alone; each may enrol a second factor. `serve` by itself requires one of admin and coordinator.
export SECOND_FACTOR=${SECOND_FACTOR:-optional} SECOND_FACTOR_KEY_FILE=${SECOND_FACTOR_KEY_FILE:-target/dev/second-factor.keys}
if [[ ! -e $SECOND_FACTOR_KEY_FILE ]]; then
  (umask 077 && "$binary" keys rotate --second-factor) || die "could not make the keys in $SECOND_FACTOR_KEY_FILE"
fi

if [[ ! -e $TOKEN_KEY_FILE ]]; then
  (umask 077 && "$binary" keys rotate) || die "could not make the token keys in $TOKEN_KEY_FILE"
  chmod 600 "$TOKEN_KEY_FILE"
fi

password_file=target/dev/demo-password
if [[ -n ${DEMO_PASSWORD:-} ]]; then
  shown="the DEMO_PASSWORD you set" pasted="\$DEMO_PASSWORD"
else
  [[ -s $password_file ]] || (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$password_file")
  DEMO_PASSWORD=$(<"$password_file")
  shown="$DEMO_PASSWORD   (kept in $password_file)" pasted=$DEMO_PASSWORD
fi
export DEMO_PASSWORD

say "bringing the database up to date"
guarded "$binary" migrate || die "migrating the database failed"
guarded "$binary" seed --demo || die "filling the database with the plan and the demo data failed"

url=http://${BIND_ADDRESS/#0.0.0.0:/127.0.0.1:}
cat <<END

  Swagger UI   $url/docs/
  Accounts     admin, coordinator, monitor, officer.so-yt (and officer.<agency> for every agency of the plan)
  Clients      portal (reads), vnpt (delivers dossiers)
  Password     $shown

  Log in:
    curl -sS $url/api/v1/auth/login -H 'Content-Type: application/json' \\
      -d "{\"username\": \"coordinator\", \"password\": \"$pasted\"}"

  Stop with Ctrl-C.

END
status=0
guarded "$binary" serve || status=$?
((status == 0)) || die "the service ended with code $status"
