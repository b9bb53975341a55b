#!/usr/bin/env bash
# A backup of the database that DATABASE_URL names, while the service runs:
#
#   DATABASE_URL=postgres://… scripts/backup.sh DIRECTORY [KEEP]
#
# Writes DIRECTORY/ict-index-<time>.dump (pg_dump's own format, one snapshot of everything) whole or not at all, reads it once to see that it is
# whole, and deletes all but the KEEP (14) newest. Prints the file's name. PGPASSFILE or PGPASSWORD hold the password that the URL has not; one that
# the URL has is handed on in the environment, never among arguments.
# It holds personal data and password hashes: keep it where the database itself might be kept.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
directory=${1:?"usage: scripts/backup.sh DIRECTORY [KEEP]"} keep=${2:-14}
[[ $keep =~ ^[1-9][0-9]*$ ]] || die "KEEP: expected a number from 1, got $keep"
[[ -n ${DATABASE_URL:-} ]] || die "DATABASE_URL is not set"
umask 077
[[ $directory != -* ]] || directory=./$directory
mkdir -p "$directory"
hide_password "$DATABASE_URL"
file=$directory/ict-index-$(date -u +%Y%m%dT%H%M%SZ).dump
new=$file.new.$$
trap 'rm -f "$new"' EXIT
pg_dump --format=custom --no-owner --no-privileges --lock-wait-timeout=60000 --file="$new" "${url:?}" || die "pg_dump failed; nothing was written"
# A file that cannot be read to its end is no backup.
pg_restore --file=/dev/null "$new" || die "the dump cannot be read again; nothing was written"
sync -d "$new"
mv "$new" "$file"
sync "$directory"
# By names that this script gives, whole: nothing else that lies here is touched, whatever it is called.
two='[0-9][0-9]'
mapfile -d '' -t dumps < <(find "$directory" -maxdepth 1 -type f -name "ict-index-$two$two$two${two}T$two$two${two}Z.dump" -print0 | sort -rz)
for old in "${dumps[@]:keep}"; do rm -f -- "$old"; done
echo "$file"
