#!/usr/bin/env bash
# A primary, a real hot standby and a service between them: statistics come from the standby, never without the last
# change, and from the primary when the standby cannot have it or is gone. Takes half a minute.
# SERVICE=... names the binary (target/debug/ict-index); PostgreSQL's server programs are looked for where Debian has them.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
service=$(realpath "${SERVICE:-target/debug/ict-index}")
bin=${POSTGRES_BIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
dir=$(mktemp -d /var/tmp/ict-index-standby-XXXXXX)
as_server() { (cd / && if ((EUID == 0)); then setpriv --reuid=postgres --regid=postgres --clear-groups -- env HOME=/ "$@"; else "$@"; fi); }
((EUID != 0)) || chown postgres "$dir"
pids=()
clear_up() {
  ((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null || true
  for data in standby primary; do as_server "$bin/pg_ctl" stop -s -D "$dir/$data" -m immediate >/dev/null 2>&1 || true; done
  rm -rf "$dir"
}
trap clear_up EXIT
start() { # DATA PORT
  as_server "$bin/pg_ctl" start -s -w -D "$dir/$1" -l "$dir/$1.log" \
    -o "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -p $2" </dev/null >/dev/null
}

as_server "$bin/initdb" -D "$dir/primary" -U postgres -E UTF8 --auth=trust --no-sync >/dev/null
primary=$(free_port)
start primary "$primary"
as_server "$bin/pg_basebackup" -D "$dir/standby" -R -X stream -c fast -d "host=127.0.0.1 port=$primary user=postgres"
standby=$(free_port)
start standby "$standby"
psql() { command psql -X -q -h 127.0.0.1 -U postgres -At "$@"; }
psql -p "$primary" -c 'create database ict_index'

export DATABASE_URL=postgres://postgres@127.0.0.1:$primary/ict_index
export DATABASE_REPLICA_URL=postgres://postgres@127.0.0.1:$standby/ict_index
export TOKEN_KEY_FILE=$dir/keys.json DEMO_PASSWORD='ruong bac thang 332' PASSWORD_MEMORY_KIB=19456 DATABASE_UNSAFE=allow SECOND_FACTOR=optional RUST_LOG=warn,changes=info
"$service" keys rotate >/dev/null
"$service" migrate >/dev/null
"$service" seed --demo >/dev/null
http=$(free_port)
# Nothing is kept: every answer is read.
ANSWER_CACHE_MIB=0 BIND_ADDRESS=127.0.0.1:$http "$service" serve &
pids+=($!)
api=http://127.0.0.1:$http/api/v1
# until_so WHAT COMMAND...
until_so() {
  local what=$1 waited
  shift
  for waited in {1..200}; do if "$@"; then return; fi; sleep 0.1; done
  die "it did not come about ($waited tries) that $what"
}
until_so "the service is ready" curl -fsS -o /dev/null "http://127.0.0.1:$http/readyz" 2>/dev/null
token=$(curl -fsS "$api/auth/login" -H 'Content-Type: application/json' -d @- <<<"{\"username\":\"coordinator\",\"password\":\"$DEMO_PASSWORD\"}" | jq -r .access_token)
get() { curl -fsS -H "Authorization: Bearer $token" "$@"; }
lag() { get -o /dev/null -D - "$api/statistics/dossier-rates?period=2018" | tr -d '\r' | sed -n 's/^replica-lag: //Ip'; }
from_standby() { [[ $(lag) =~ ^[01]\.[0-9]{3}$ ]]; }
from_primary() { [[ -z $(lag) ]]; }
target() { get "$api/statistics/dossier-rates?period=2018" | jq '.items[0].target.value'; }
set_target() {
  get -o /dev/null -X PUT "$api/targets" -H 'Content-Type: application/json' -d "{\"subject\":\"metric\",\"code\":\"dossiers_level_3_resolved\",
    \"scope\":\"province\",\"year\":2018,\"comparator\":\"gte\",\"value\":$1,\"due\":\"2018-12-31\",\"source\":\"test\"}"
}

until_so "statistics come from the standby" from_standby
for n in {1..20}; do
  set_target "$n"
  for _ in 1 2 3; do [[ $(target) == "$n" ]] || die "an answer without the change that was acknowledged"; done
done
until_so "statistics come from the standby again" from_standby
say "a standby that replays nothing is not asked"
psql -p "$standby" -c 'select pg_wal_replay_pause()' >/dev/null
set_target 41
for _ in {1..20}; do [[ $(target) == 41 ]] || die "an old answer of a standby that stands still"; done
from_primary || die "a standby that stands still was read from"
psql -p "$standby" -c 'select pg_wal_replay_resume()' >/dev/null
until_so "it is asked again when it has caught up" from_standby
[[ $(target) == 41 ]]
say "a standby that is gone is not missed"
as_server "$bin/pg_ctl" stop -s -D "$dir/standby" -m immediate >/dev/null
for _ in {1..20}; do [[ $(target) == 41 ]] || die "no answer without the standby"; done
until_so "statistics come from the primary" from_primary
start standby "$standby"
until_so "it is asked again when it is back" from_standby
say "standby: as promised"
