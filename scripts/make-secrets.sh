#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml reads, in secrets/. What exists is left as it is.
#
#   make-secrets.sh [NAME...]    and further passwords: docs/ha/docker-compose.ha.yml reads replication_password
#
# To replace the token keys: delete secrets/token_keys, run this again, and `docker compose up -d --force-recreate ict-index`.
# Access tokens end with that; clients get new ones with their refresh tokens.
set -euo pipefail
cd "$(dirname "$0")/.."
for name; do
  [[ $name =~ ^[a-z]+(_[a-z]+)*$ ]] || { echo "error: expected names such as replication_password, got $name" >&2; exit 2; }
done
# The directory keeps others on this machine out. The files in it are readable, because containers see them through mounts
# that keep their mode, and run as users who do not own them.
mkdir -p secrets
chmod 700 secrets
umask 022

random() { head -c "$1" /dev/urandom | base64 -w 0; }

# make NAME CONTENT: whole or not at all, so that an interrupted run leaves no half secret.
make() {
  if [[ -e secrets/$1 ]]; then echo "secrets/$1 exists"; return; fi
  # A new file that no other user has put there, and nothing in the place of what another run has made meanwhile.
  local new
  new=$(mktemp "secrets/.$1.XXXXXXXXXX")
  printf '%s' "$2" >"$new"
  chmod 644 "$new"
  mv -nT "$new" "secrets/$1"
  rm -f "$new"
  echo "secrets/$1 made"
}

# One for each login of the database (scripts/database-roles.sql): the administrator's, the owner's of the tables, the service's; then what is asked for.
for name in postgres_password owner_password service_password "$@"; do
  make "$name" "$(random 24 | tr '+/' '-_')"
done
key_file() {
  printf '{"keys":[{"kid":"%s","secret":"%s","not_before":"%s"}]}' \
    "$(head -c 8 /dev/urandom | od -An -tx1 | tr -d ' \n')" "$(random 32)" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
}
make token_keys "$(key_file)"
# Encrypts the secrets of second factors: when it is lost, every second factor has to be reset. Back it up, apart from the database.
make second_factor_keys "$(key_file)"
