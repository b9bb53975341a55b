#!/usr/bin/env bash
# A backup of scripts/backup.sh into an empty database:
#
#   createdb restored
#   DATABASE_URL=postgres://…/restored scripts/restore.sh FILE
#
# All or nothing, in one transaction. Then point the service at the new database, or rename the two. The role in the URL owns what is restored;
# BINARY=… names an `ict-index` whose `verify` counts all facts again (target/release/ict-index where it is there).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
file=${1:?"usage: scripts/restore.sh FILE"}
[[ -n ${DATABASE_URL:-} ]] || die "DATABASE_URL is not set"
[[ -r $file ]] || die "cannot read $file"
[[ $file != -* ]] || file=./$file
hide_password "$DATABASE_URL"
: "${url:?}"
tables=$(psql -XAtq "$url" -c "select count(*) from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace") ||
  die "the database does not answer"
[[ $tables == 0 ]] || die "the database is not empty ($tables tables): restore into a new one, nothing is overwritten here"
pg_restore --no-owner --no-privileges --exit-on-error --single-transaction --dbname="$url" "$file" || die "nothing was restored"
# The dump holds no privileges: they are made anew, and the roles where this cluster has none.
psql -Xq -v ON_ERROR_STOP=1 "$url" -c "do \$\$ begin
  if to_regprocedure('grant_service_roles()') is not null then perform grant_service_roles(); end if; end \$\$" ||
  die "restored, but the service's roles have no rights yet: run 'select grant_service_roles()' as the owner"
psql -Xq "$url" -c analyze
binary=${BINARY:-${CARGO_TARGET_DIR:-target}/release/ict-index}
if [[ -x $binary ]]; then
  "$binary" verify
else
  say "restored; there is no $binary to count the facts again with: run 'ict-index verify'"
fi
