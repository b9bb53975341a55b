#!/bin/sh
# Patroni runs this once, on the first leader, with a connection string of the superuser; PGPASSFILE has the password. ICT_INDEX_SECRETS is
# where owner_password and service_password are: psql reads the files, so that no password stands among a program's arguments.
set -eu
exec psql -X -q -v secrets="${ICT_INDEX_SECRETS:-/run/secrets}" -f "$(dirname "$0")/database-roles.sql" "$1"
