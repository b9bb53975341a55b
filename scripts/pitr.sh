#!/usr/bin/env bash
# Backups from which any moment can be restored: a copy of the whole cluster, and the write-ahead log since.
#
#   pitr.sh archive PATH NAME ARCHIVE        keep one segment of the log; for PostgreSQL:
#                                              archive_mode = on
#                                              archive_timeout = 60          # at most a minute is lost with the machine
#                                              archive_command = '/…/scripts/pitr.sh archive %p %f /mnt/archive'
#   pitr.sh base URL DIRECTORY               copy the running cluster (URL: a role with REPLICATION, without its password: PGPASSFILE
#                                            has that, arguments are read by everybody on the machine); prints where it is
#   pitr.sh restore BASE ARCHIVE DATA TIME   make the data directory DATA as the cluster was at TIME (of the form '2026-03-01 09:41:00+07');
#                                            `pg_ctl start -D DATA` then replays up to TIME and opens for writing
#
# Run `restore` as the user who runs the server. POSTGRES_BIN=… names the server's programs.
set -euo pipefail

die() { printf 'error: %s\n' "$*" >&2; exit 1; }
program() { if [[ -n ${POSTGRES_BIN:-} ]]; then echo "$POSTGRES_BIN/$1"; else echo "$1"; fi; }

# Whole or not at all, on disk before PostgreSQL is told so; a segment that is there already must be the same.
archive() {
  local path=$1 name=$2 archive=$3
  if [[ -e $archive/$name ]]; then cmp -s "$path" "$archive/$name" || die "$archive/$name is another segment"; return; fi
  new=$archive/.$name.$$            # not local: the trap runs when this function is over
  trap 'rm -f "$new"' EXIT
  cp "$path" "$new"
  sync -d "$new"
  mv "$new" "$archive/$name"
  sync "$archive"
}

base() {
  local directory
  [[ ! $1 =~ ://[^@/]*:[^@/]*@ && ! $1 =~ password ]] ||
    die "a password among the arguments is read by everybody on this machine: leave it to PGPASSFILE"
  directory=$2/base-$(date -u +%Y%m%dT%H%M%SZ)
  "$(program pg_basebackup)" --dbname="$1" --pgdata="$directory" --checkpoint=fast --wal-method=stream >&2
  "$(program pg_verifybackup)" --quiet "$directory" >&2 || die "the copy in $directory is not whole"
  echo "$directory"
}

# A text as one word of a shell command, inside a value of postgresql.conf, where PostgreSQL replaces %.
in_command() {
  local text=$1
  text=\'${text//\'/\'\\\'\'}\'
  text=${text//%/%%}
  text=${text//\\/\\\\}
  printf '%s' "${text//\'/\'\'}"
}

restore() {
  local base=$1 archive=$2 data=$3 time=$4
  # It is written into the configuration: a form, not whatever `date` understands (that takes comments, of any number of lines).
  [[ $time =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}[\ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?([+-][0-9]{2}(:?[0-9]{2})?|Z|\ UTC)?$ ]] &&
    date -d "$time" >/dev/null || die "not a time such as '2026-03-01 09:41:00+07': $time"
  [[ $archive != *$'\n'* ]] || die "the archive's name has more than one line"
  [[ $archive == /* ]] || archive=$PWD/$archive
  [[ -r $base/PG_VERSION ]] || die "$base is no copy of a cluster"
  [[ -z $(ls -A "$data" 2>/dev/null) ]] || die "$data is not empty: nothing is overwritten here"
  mkdir -p "$data"
  chmod 700 "$data"
  cp -a "$base/." "$data/"
  rm -f "$data/postmaster.pid" "$data/standby.signal"
  cat >>"$data/postgresql.auto.conf" <<END
restore_command = 'cp $(in_command "$archive")/"%f" "%p"'
recovery_target_time = '$time'
recovery_target_action = 'promote'
# The restored cluster is another one: it must not write into the archive of the first.
archive_mode = off
END
  touch "$data/recovery.signal"
}

case ${1:-}:$# in
  archive:4 | base:3 | restore:5) verb=$1; shift; "$verb" "$@" ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
