#!/usr/bin/env bash
# `make fuzz`: asks the service what nobody would.
#
#   fuzz.sh [--short]
#
# schemathesis (from PyPI, kept in target/fuzz) makes requests from the served description, as every kind of caller: no answer may be a 5xx, off its schema, or of
# a status that is not described. Then the property tests of the parsers run with a thousand times the cases. --short: schemathesis alone, two minutes.
# Where PyPI cannot be reached this says so and ends with 3: nothing was tried.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

VERSION=4.32.5
short=''
[[ ${1:-} != --short ]] || short=yes
scripts/ensure-tools.sh --test
mkdir -p target/fuzz
lock target/fuzz/lock
place=$(realpath target/fuzz) config=$PWD/tests/fuzz/schemathesis.toml
if [[ ! -x $place/venv/bin/schemathesis ]]; then
  rm -rf "$place/venv"
  python3 -m venv "$place/venv" || die "no Python environment could be made (on Debian: apt-get install python3-venv)"
  "$place/venv/bin/pip" --disable-pip-version-check install -q "schemathesis==$VERSION" ||
    { rm -rf "$place/venv"; say "schemathesis could not be installed: PyPI cannot be reached. NOTHING WAS TRIED"; exit 3; }
fi

guarded cargo build --locked --bin ict-index
binary=${CARGO_TARGET_DIR:-target}/debug/ict-index
server=''
clear_up() {
  [[ -z $server ]] || kill "$server" 2>/dev/null || true
  scripts/postgres.sh remove target/pg-fuzz
}
trap clear_up EXIT
scripts/postgres.sh start target/pg-fuzz --test
scripts/postgres.sh create target/pg-fuzz ict_index
port=$((20000 + RANDOM % 12000))
export DATABASE_URL TOKEN_KEY_FILE=$place/token.keys DEMO_PASSWORD='ruong bac thang 332' DATABASE_UNSAFE=allow BIND_ADDRESS=127.0.0.1:$port RUST_LOG=info
DATABASE_URL=$(scripts/postgres.sh url target/pg-fuzz ict_index)
[[ -e $TOKEN_KEY_FILE ]] || "$binary" keys rotate
"$binary" migrate
"$binary" seed --demo >/dev/null
"$binary" serve 2>"$place/service.log" &
server=$!
api=http://127.0.0.1:$port
curl -sf --retry 50 --retry-delay 1 --retry-all-errors -o /dev/null "$api/readyz"

status=0
seconds=$([[ -n $short ]] && echo 18 || echo 600)
for caller in admin coordinator monitor officer.so-yt client:portal client:vnpt; do
  case $caller in
    client:*) token=$(curl -sf "$api/api/v1/oauth/token" -u "${caller#client:}:$DEMO_PASSWORD" -d grant_type=client_credentials) ;;
    *) token=$(curl -sf "$api/api/v1/auth/login" -H 'Content-Type: application/json' -d "{\"username\":\"$caller\",\"password\":\"$DEMO_PASSWORD\"}") ;;
  esac
  token=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])' <<<"$token")
  say "schemathesis as $caller, $seconds s"
  # Its own session and password are tried by the tests: here they would end the walk.
  (cd "$place" && timeout $((seconds + 60)) venv/bin/schemathesis --config-file "$config" run "$api/openapi.json" \
    --header "Authorization: Bearer $token" --exclude-path-regex '/(logout|password|secret)$' --exclude-operation-id update_user --max-time "$seconds" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --phases examples,coverage,fuzzing,stateful --workers 2 --suppress-health-check all --no-color >"$place/$caller.txt" 2>&1) || status=$?
  tail -n 12 "$place/$caller.txt" >&2
  ((status == 0)) || { grep -n -A14 -m 5 -E '^_____|^- ' "$place/$caller.txt" >&2 || true; break; }
done
faults=$(grep -c 'code=INTERNAL' "$place/service.log" || true)
((faults == 0)) || { grep 'code=INTERNAL' "$place/service.log" | head >&2; die "$faults faults in the service's log ($place/service.log)"; }
((status == 0)) || die "schemathesis found something as $caller: $place/$caller.txt"

if [[ -z $short ]]; then
  say "property tests of the parsers, 250,000 cases each"
  PROPTEST_CASES=250000 guarded cargo test --locked --release --lib -- period:: ids:: etag:: listing:: decimal:: row_reader:: checker_tests figures:: rate::
fi
say "fuzz: nothing found"
