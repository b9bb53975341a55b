# shellcheck shell=bash
# Sourced by the scripts that try a running service: one of its own, with demo data, on a database of its own, until the script ends.
# Expects common.sh.

# start_service PLACE DATABASE [NAME=VALUE...]: PLACE holds keys and log, DATABASE is the directory of the cluster. Sets api, server and binary.
# SERVICE=... names a binary to use instead of the debug build.
start_service() {
  local place=$1 database=$2 port
  shift 2
  if [[ -z ${SERVICE:-} ]]; then
    guarded cargo build --locked --bin ict-index
  fi
  binary=$(realpath "${SERVICE:-${CARGO_TARGET_DIR:-target}/debug/ict-index}")
  server=''
  # shellcheck disable=SC2064
  trap "[[ -z \$server ]] || kill \$server 2>/dev/null || true; scripts/postgres.sh remove '$database'" EXIT
  scripts/postgres.sh remove "$database"
  scripts/postgres.sh start "$database" --test
  scripts/postgres.sh create "$database" ict_index
  port=$(free_port)
  export DATABASE_URL TOKEN_KEY_FILE=$place/token.keys DEMO_PASSWORD='ruong bac thang 332' DATABASE_UNSAFE=allow BIND_ADDRESS=127.0.0.1:$port RUST_LOG=info SECOND_FACTOR=optional
  DATABASE_URL=$(scripts/postgres.sh url "$database" ict_index)
  rm -f "$TOKEN_KEY_FILE"
  "$binary" keys rotate >&2
  "$binary" migrate >&2
  "$binary" seed --demo >/dev/null
  env "$@" "$binary" serve 2>"$place/service.log" 9>&- &
  server=$!
  api=http://127.0.0.1:$port
  curl -sf --retry 50 --retry-delay 1 --retry-all-errors -o /dev/null "$api/readyz" || { tail -n 5 "$place/service.log" >&2; die "the service does not get ready"; }
}

# token_of CALLER: an access token of a demo account, or of client:ID.
token_of() {
  local answer
  case $1 in
    client:*) answer=$(curl -sf "$api/api/v1/oauth/token" -K - -d grant_type=client_credentials <<<"user = \"${1#client:}:$DEMO_PASSWORD\"") ;;
    *) answer=$(curl -sf "$api/api/v1/auth/login" -H 'Content-Type: application/json' -d @- <<<"{\"username\":\"$1\",\"password\":\"$DEMO_PASSWORD\"}") ;;
  esac
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])' <<<"$answer"
}
