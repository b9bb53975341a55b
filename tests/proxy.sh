#!/usr/bin/env bash
# Two instances behind HAProxy, with the configuration of docs/scaling.md: within a second after a write both answer the new figure, and
# none the old one afterwards. Next to a service that `make run` serves, or the one that ICT_INDEX_URL, DATABASE_URL, TOKEN_KEY_FILE,
# DEMO_PASSWORD and SERVICE (its binary) name, as `make test-scripts` does; needs haproxy and python3.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
command -v haproxy >/dev/null || apt_install haproxy haproxy
dir=$(mktemp -d)
first=${ICT_INDEX_URL:-http://127.0.0.1:8080} second=$(free_port) front=$(free_port)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT

# The second instance: the same database, the same keys.
export DATABASE_URL TOKEN_KEY_FILE=${TOKEN_KEY_FILE:-target/dev/token.keys} BIND_ADDRESS=127.0.0.1:$second RUST_LOG=error SECOND_FACTOR=optional
DATABASE_URL=${DATABASE_URL:-$(scripts/postgres.sh url target/pg-run ict_index)}
"${SERVICE:-${CARGO_TARGET_DIR:-target}/release/ict-index}" serve &
pids+=($!)
sed -n '/^```haproxy/,/^```/p' docs/scaling.md | sed '1d;$d' |
  sed "s#bind :443 ssl.*#bind 127.0.0.1:$front#; s#10.0.0.11:8080#${first#http://}#; s#10.0.0.12:8080#127.0.0.1:$second#" >"$dir/haproxy.cfg"
haproxy -f "$dir/haproxy.cfg" &
pids+=($!)
curl -sf --retry 50 --retry-delay 1 --retry-all-errors -o /dev/null "http://127.0.0.1:$second/readyz"
curl -sf --retry 50 --retry-delay 1 --retry-all-errors -o /dev/null "http://127.0.0.1:$front/readyz"

export ICT_INDEX_URL=http://127.0.0.1:$front CLIENT_ID=vnpt CLIENT_SECRET=${DEMO_PASSWORD:-$(<target/dev/demo-password)}
PYTHONPATH=examples python3 -B - <<'PYTHON'
import time

from api import Client

client = Client.from_environment()
columns = "agency,service,channel,received,resolved_early,resolved_on_time,resolved_late,withdrawn,carried_in,in_progress_on_time,in_progress_overdue"
service = client.request("GET", "/services?limit=1&level=3&q=demo")[2]["items"][0]["code"]
reads = stale = 0
slowest = 0.0
for received in range(1, 31):
    rows = f"{columns}\nSO-YT,{service},online,{received},0,{received},0,0,0,0,0\n".encode()
    client.request("PUT", f"/dossier-batches/vnpt/2019-06?rows=1&received={received}", rows, content_type="text/csv")
    written, fresh = time.monotonic(), 0
    # Both have it when each of a row of answers, which the proxy spreads over the two, has it.
    while fresh < 10:
        told = client.request("GET", "/statistics/dossier-rates?period=2019-06&metric=on_time")[2]
        reads, fresh = reads + 1, fresh + 1
        if told["items"][0]["denominator"] != received:
            stale, fresh, slowest = stale + 1, 0, max(slowest, time.monotonic() - written)
            if slowest > 1:
                raise SystemExit(f"proxy: an old figure {slowest:.3f} s after the write")
print(f"proxy: {reads} reads after 30 writes, {stale} old ones, the last {slowest * 1000:.0f} ms after its write")
PYTHON
asked=$(curl -s "http://127.0.0.1:$second/metrics" | grep http_requests_total | grep -F 'dossier-rates",status="200"' | grep -oE '[0-9]+$')
echo "proxy: the second instance answered $asked of them"
((asked > 0))
