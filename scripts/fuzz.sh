#!/usr/bin/env bash
# `make fuzz`: asks the service what nobody would.
#
#   fuzz.sh [--short | --requests]
#
# schemathesis (from PyPI, kept in target/fuzz) makes requests from the served description, as every kind of caller: no answer may be a 5xx, off its schema, or of
# a status that is not described. Then the property tests of the parsers run with a thousand times the cases. --short, for CI: schemathesis alone, examples and
# coverage of the schemas with a seed that stays the same, 75 s of requests at the most. --requests: the long form without the property tests.
# FUZZ_SECONDS=... is how long the long form asks as each caller (600).
# Where PyPI cannot be reached this says so and ends with 3: nothing was tried.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/service.sh
. scripts/service.sh

VERSION=4.32.5
short='' properties=yes
case ${1:-} in
  --short) short=yes properties='' ;;
  --requests) properties='' ;;
esac
scripts/ensure-tools.sh --test
mkdir -p target/fuzz
lock target/fuzz/lock
place=$(realpath target/fuzz) config=$PWD/tests/fuzz/schemathesis.toml hooks=$PWD/tests/fuzz
if [[ ! -x $place/venv/bin/schemathesis ]]; then
  rm -rf "$place/venv"
  python3 -m venv "$place/venv" || die "no Python environment could be made (on Debian: apt-get install python3-venv)"
  "$place/venv/bin/pip" --disable-pip-version-check install -q "schemathesis==$VERSION" ||
    { rm -rf "$place/venv"; say "schemathesis could not be installed: PyPI cannot be reached. NOTHING WAS TRIED"; exit 3; }
fi
start_service "$place" target/pg-fuzz

# as CALLER SECONDS: requests as this caller; its own session and password are tried by the tests: here they would end the walk.
as() {
  local caller=$1 seconds=$2 token phases=(--phases "examples,coverage,fuzzing,stateful")
  [[ -z $short ]] || phases=(--phases "examples,coverage" --seed 332)
  token=$(token_of "$caller")
  say "schemathesis as $caller, $seconds s"
  (cd "$place" && PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$hooks SCHEMATHESIS_HOOKS=hooks timeout $((seconds + 60)) venv/bin/schemathesis --config-file "$config" run "$api/openapi.json" \
    --header "Authorization: Bearer $token" --exclude-path-regex '/(logout|password|secret)$' --exclude-operation-id update_user --exclude-operation-id end_own_session --max-time "$seconds" \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    "${phases[@]}" --continue-on-failure --workers 1 --suppress-health-check all --warnings off --no-color >"$place/$caller.txt" 2>&1)
}

# Those who may do most get the most time: the others are refused nearly everywhere.
callers=(coordinator:30 admin:10 officer.so-yt:15 client:vnpt:8 monitor:6 client:portal:6)
found=()
for turn in "${callers[@]}"; do
  caller=${turn%:*} seconds=${turn##*:}
  [[ -n $short ]] || seconds=${FUZZ_SECONDS:-600}
  status=0
  as "$caller" "$seconds" || status=$?
  tail -n 14 "$place/$caller.txt" >&2
  ((status == 0)) || found+=("$caller")
done
faults=$(grep -c 'code=INTERNAL' "$place/service.log" || true)
((faults == 0)) || { grep 'code=INTERNAL' "$place/service.log" | head >&2; die "$faults faults in the service's log ($place/service.log)"; }
((${#found[@]} == 0)) || { sed -n '/= FAILURES =/,$p' "$place/${found[0]}.txt" | head -n 80 >&2; die "schemathesis found something as ${found[*]}: $place/<caller>.txt"; }

if [[ -n $properties ]]; then
  say "property tests of the parsers, 250,000 cases each"
  PROPTEST_CASES=250000 guarded cargo test --locked --release --lib -- period:: ids:: etag:: listing:: decimal:: row_reader:: checker_tests figures:: rate::
fi
say "fuzz: nothing found"
