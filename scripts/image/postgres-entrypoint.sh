#!/bin/bash
# Makes a cluster where there is none, as the variables of the official image say, and becomes the server.
set -euo pipefail
user=${POSTGRES_USER:-postgres} database=${POSTGRES_DB:-${POSTGRES_USER:-postgres}}
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  # shellcheck disable=SC2086
  initdb -D "$PGDATA" -U "$user" --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256 ${POSTGRES_INITDB_ARGS:-}
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  # On the socket alone: no other client is served before the scripts have run.
  pg_ctl -D "$PGDATA" -o "-c listen_addresses= -c unix_socket_directories=/tmp" -w start
  run() { psql -X -q -v ON_ERROR_STOP=1 -h /tmp -U "$user" "$@"; }
  [[ $database == postgres ]] || run -d postgres -c "create database \"$database\""
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sql) echo "running $file"; run -d "$database" -f "$file" ;;
      *.sh) echo "running $file"; PGHOST=/tmp PGUSER=$user bash "$file" ;;
    esac
  done
  pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
