#!/usr/bin/env bash
# Sees to it that the project can be built here (with --test also: tested): installs what Debian's packages offer, says what to do
# about the rest.
# PostgreSQL is seen to by postgres.sh.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

what=() packages=()
need() { what+=("$1"); packages+=("${@:2}"); }

# A compiler without the C library's headers, a separate package, is of no use.
cc -x c -fsyntax-only - <<<'#include <stdlib.h>' 2>/dev/null || need 'a C compiler' gcc libc6-dev
command -v make >/dev/null || need make make
command -v curl >/dev/null || need curl curl
# The tests run the clients in examples/.
[[ ${1:-} != --test ]] || command -v python3 >/dev/null || need 'Python 3' python3
# Codes of second factors are compared with those of another implementation.
[[ ${1:-} != --test ]] || command -v oathtool >/dev/null || need oathtool oathtool
# The TLS library's C sources come with what a plain compiler needs for these two; elsewhere they are built by cmake.
case $(uname -sm) in
  'Linux x86_64' | 'Linux aarch64') ;;
  *) command -v cmake >/dev/null || need cmake cmake ;;
esac
if ((${#what[@]})); then
  all=$(printf ', %s' "${what[@]}")
  apt_install "${all#, }" "${packages[@]}"
fi

# Debian's own Rust is too old, so nothing is installed here.
cargo --version >/dev/null 2>&1 || die "cargo is missing: install Rust with rustup (https://rustup.rs), then open a new shell"
