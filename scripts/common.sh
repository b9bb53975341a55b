# shellcheck shell=bash
# Sourced by the other scripts: messages, Debian packages, one run at a time, signals. For bash 4.4 or newer on Linux.

# make is often started from a shell that has not read rustup's settings.
command -v cargo >/dev/null || PATH=$PATH:${HOME:-}/.cargo/bin

# Messages go to stderr: the output of a script belongs to what it was asked for.
say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Root's rights, where they are to be had. sudo may ask for a password only where someone can answer.
may_be_root() {
  if ((EUID == 0)); then return; fi
  command -v sudo >/dev/null || return
  sudo -n true 2>/dev/null || [[ -t 0 ]]
}
as_root() { if ((EUID == 0)); then "$@"; else sudo "$@"; fi; }

# apt_install WHAT PACKAGE...: installs Debian packages where that is possible, says in plain words what to install where not.
apt_install() {
  local what=$1
  shift
  command -v apt-get >/dev/null ||
    die "missing: $what. There is no apt-get here; please install it (on Debian the packages are: $*)"
  may_be_root || die "missing: $what. Please have an administrator run: apt-get install $*"
  say "missing: $what. Installing $*"
  as_root apt-get update -qq >&2 || say "apt-get update failed; trying with the package lists at hand"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
    install -y -qq --no-install-recommends "$@" </dev/null >&2 || die "could not install $*, which is needed for: $what"
}

# lock FILE [--wait]: holds FILE until this script ends. Two runs must not stop each other's database.
lock() {
  command -v flock >/dev/null || return 0
  exec 9>"$1"
  flock -n 9 && return
  [[ ${2:-} == --wait ]] || die "another run in this checkout is still going ($1 is locked)"
  say "waiting for another run in this checkout to end"
  flock 9
}

# free_port: a port of 127.0.0.1 that nobody listens on.
free_port() {
  local port=$((20000 + RANDOM % 12000))
  while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
  echo "$port"
}

# guarded COMMAND...: runs it, passes signals on, waits for it and returns its code. It gets a process group of its own, so
# that Ctrl-C reaches this script alone, which asks for an orderly end (SIGTERM) once and cleans up only after it.
guarded() {
  local child status signalled
  set -m
  "$@" </dev/null 9>&- &
  child=$!
  set +m
  trap 'signalled=yes; kill -TERM -- "-$child" 2>/dev/null || true' INT TERM HUP
  while :; do
    signalled='' status=0
    wait "$child" || status=$?
    [[ -n $signalled ]] || break
  done
  trap - INT TERM HUP
  return "$status"
}

# hide_password URL: prints nothing; sets `url` to the URL without its password and PGPASSWORD to the password, so that no program is started
# with it among its arguments, where everybody on the machine can read it. Without one, PGPASSFILE and PGPASSWORD stay as they are.
hide_password() {
  local scheme credentials place password
  [[ $1 =~ ^(postgres(ql)?://)(.*)$ ]] || die "expected a URL that begins with postgres://"
  scheme=${BASH_REMATCH[1]} place=${BASH_REMATCH[3]}
  [[ ! $1 =~ [?\&]password= ]] || die "a password belongs before the @ of a URL, or into PGPASSFILE"
  url=$1
  [[ $place =~ ^([^@/]*)@(.*)$ ]] || return 0
  credentials=${BASH_REMATCH[1]} place=${BASH_REMATCH[2]}
  [[ $credentials == *:* ]] || return 0
  password=${credentials#*:}
  password=${password//\\/\\\\}
  printf -v PGPASSWORD '%b' "${password//%/\\x}"
  export PGPASSWORD
  # shellcheck disable=SC2034
  url=$scheme${credentials%%:*}@$place
}
