#!/usr/bin/env bash
# `make login-times`: whether a refused login tells by its answer or its time what the account is, and what 200 logins at once do to memory and reads.
# Starts a service of its own (SERVICE=... names a binary; otherwise the debug build). Arguments go to login_times.py: --samples 2000
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/service.sh
. scripts/service.sh

scripts/ensure-tools.sh --test
mkdir -p target/logins
lock target/logins/lock
start_service "$(realpath target/logins)" target/pg-logins
# Locking is tried with accounts and names of their own.
admin=$(token_of admin)
api_call() { curl -sf "$api/api/v1/$1" -H "Authorization: Bearer $admin" -H 'Content-Type: application/json' "${@:2}"; }
for name in off.one off.two; do
  api_call users -o /dev/null -d @- <<<"{\"username\":\"$name\",\"display_name\":\"$name\",\"role\":\"monitor\",\"password\":\"$DEMO_PASSWORD\"}"
  api_call "users/$name" -o /dev/null -X PATCH -H 'If-Match: "1"' -d '{"disabled":true}'
done
status=0
guarded python3 -B scripts/login_times.py "$api" "$@" || status=1
guarded python3 -B scripts/login_flood.py "$api" --pid "$server" || status=1
exit "$status"
