#!/usr/bin/env bash
# `make test-scripts`: what the documents show, tried on a service and a database of their own with demo data: the tour of docs/tour.md
# (tests/tour.sh), docs/scaling.md's HAProxy before two instances (tests/proxy.sh), and a real standby (tests/standby.sh).
# SERVICE=... names a binary to use instead of the debug build.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/service.sh
. scripts/service.sh

scripts/ensure-tools.sh --test
command -v jq >/dev/null || apt_install jq jq
mkdir -p target/rehearse
lock target/rehearse/lock
start_service "$PWD/target/rehearse" target/pg-rehearse
export SERVICE=$binary
say "the tour of docs/tour.md"
ICT_INDEX_URL=$api tests/tour.sh >target/rehearse/tour.txt || { cat target/rehearse/tour.txt >&2; die "the tour does not go as docs/tour.md shows"; }
say "two instances behind HAProxy"
ICT_INDEX_URL=$api tests/proxy.sh
say "a standby"
env -u DATABASE_URL -u BIND_ADDRESS tests/standby.sh
say "test-scripts: as promised"
