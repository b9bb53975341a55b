#!/usr/bin/env bash
# Runs the request of README.md and the tour of docs/tour.md against a running service and checks what it prints: `make run` in one terminal, this in another.
# ICT_INDEX_URL=... is where the service listens (http://127.0.0.1:8080), DEMO_PASSWORD the accounts' password. `make test-scripts` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
# block HEADING FILE: the lines of shell under it, for the service that is asked.
block() {
  sed -n "/^## $1/,/^## /p" "$2" | sed -n '/^```sh$/,/^```$/p' | sed '1d;$d' | sed "s#http://127.0.0.1:8080#${ICT_INDEX_URL:-http://127.0.0.1:8080}#g"
}
tour=$(block 'One request' README.md; block 'Five minutes with curl' docs/tour.md)
out=$(bash -euo pipefail -c "$tour")
printf '%s\n' "$out"
expect() { grep -qF -- "$1" <<<"$out" || { echo "tour: missing: $1" >&2; exit 1; }; }
expect '"rate": 58.15'
expect 'SO-YT  Sở Y tế'
expect 'NL.XH  27  -14'
expect 'submitted'
expect 'accepted'
expect '{"indicator":"NL.CQ.05","numerator":30,"denominator":45,"rate":66.67}'
expect '"metric":"dossiers_level_3_resolved"'
expect '{"counts":{"achieved":'
expect '{"code":"services_level_3_4","value":60,"actual":'
expect '{"month":"2018-09","submissions":28,"tasks":30}'
expect 'PK is a workbook'
expect '{"unit":"Bắc Ninh","rounded":0.4096,"rank":2}'
expect '{"indicator":"CQS","gain_full":'
expect '"pointer":"/code"'
echo 'tour: as promised'
