#!/usr/bin/env bash
# `make image`: builds the container image and runs docker-compose.yml with it, so that both are tried and not only read.
#
#   image.sh            builds the image `ict-index` from Dockerfile, then runs the compose file; PROFILE=dev builds without optimising
#   image.sh --built    the short form: the debug build of this checkout in place of the build stage
#   image.sh --run      runs the compose file with the image that is there
#
# With Docker where its engine runs, else with podman (rootful), buildah's build and podman-compose. Where no registry can be reached, base images are
# made by debootstrap (scripts/image/), under names of this machine's own, and removed at the end. Everything is run as the compose file says: as 65532, without capabilities, on a
# read-only root; under another project name and on another port, so that an installation on this machine is left alone.
# Ends with 3 where there is neither an engine nor a way to get one, or no base image: nothing was tried.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

COMPOSE_VERSION=1.6.0
PROJECT=ict-index-check
# Of base images that were made here: nobody takes them for the official ones.
OWN=localhost/ict-index-base
declare -A base_of=() made=()
place=$PWD/target/image
mkdir -p "$place"
lock "$place/lock"

# Containers first, then the images they were of; the compose file's copy has secrets.
clean_up() {
  local image
  [[ ! -d $place/compose ]] || { (cd "$place/compose" && "${compose[@]}" down -v >/dev/null 2>&1) || true; rm -rf "$place/compose"; }
  for image in "${!made[@]}"; do "$engine" image rm -f "$image" >/dev/null 2>&1 || true; done
}

# not_tried WHAT: it is this machine that is missing something, not the image.
not_tried() { say "$1. NOTHING WAS TRIED"; exit 3; }

# --- the engine ---

choose_engine() {
  if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
    engine=docker compose=(docker compose)
    return
  fi
  engine=podman compose=("$place/venv/bin/podman-compose")
  ((EUID == 0)) || not_tried "podman's build and networks take root here"
  command -v podman >/dev/null && command -v runc >/dev/null && [[ -x /usr/lib/podman/aardvark-dns || -x /usr/libexec/podman/aardvark-dns ]] ||
    (apt_install "a container engine" podman runc netavark aardvark-dns iptables) || not_tried "there is no container engine"
  if [[ ! -x ${compose[0]} ]]; then
    rm -rf "$place/venv"
    if ! { python3 -m venv "$place/venv" && "$place/venv/bin/pip" --disable-pip-version-check install -q "podman-compose==$COMPOSE_VERSION"; }; then
      rm -rf "$place/venv"
      not_tried "podman-compose cannot be installed from PyPI"
    fi
  fi
  # No systemd and no cgroups v2 are required, and no limit above what this process may set.
  export CONTAINERS_CONF=$place/containers.conf
  cat >"$CONTAINERS_CONF" <<END
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
log_driver = "k8s-file"
END
}

# --- base images ---

# base IMAGE: there, pulled, or made; base_of[IMAGE] is its name here.
base() {
  local own=$OWN/$1
  [[ -z ${base_of[$1]:-} ]] || return 0
  base_of[$1]=docker.io/library/$1
  if "$engine" image inspect "${base_of[$1]}" >/dev/null 2>&1 || "$engine" pull -q "${base_of[$1]}" >/dev/null 2>&1; then return; fi
  [[ $engine == podman ]] || not_tried "$1 cannot be pulled"
  say "no registry: making $own"
  base_of[$1]=$own made[$own]=yes
  "make_${1%%:*}" "$own"
}

# on_bases FILE TARGET: a copy of a Dockerfile that builds on the bases that are here.
on_bases() {
  local from
  cp "$1" "$2"
  for from in $(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$1"); do
    base "$from"
    sed -i "s#^FROM $from\b#FROM ${base_of[$from]}#" "$2"
  done
}

make_debian() {
  local root=$place/debian
  command -v debootstrap >/dev/null || (apt_install debootstrap debootstrap) || not_tried "there is no debootstrap"
  as_root rm -rf "$root"
  as_root debootstrap --variant=minbase bookworm "$root" >"$place/debootstrap.log" 2>&1 || { tail "$place/debootstrap.log" >&2; not_tried "debootstrap cannot make a base"; }
  as_root tar -C "$root" -c . | podman import -q - "$1" >/dev/null
  as_root rm -rf "$root"
}

# on_debian CONTEXT IMAGE: by scripts/image/<name>.Containerfile.
on_debian() {
  on_bases "scripts/image/$(basename "$1").Containerfile" "$1/Containerfile"
  podman build -q --network host --isolation chroot -t "$2" -f "$1/Containerfile" "$1" >"$place/build-base.log" 2>&1 ||
    { tail -n 20 "$place/build-base.log" >&2; die "$2 could not be made"; }
  rm -rf "$1"
}

make_rust() {
  local context=$place/rust toolchain
  toolchain=$(rustc --print sysroot)
  [[ $(rustc --version) == "rustc ${1##*:}"* || $(rustc --version) == "rustc $(cut -d- -f1 <<<"${1##*:}") "* ]] || die "the toolchain of this machine is $(rustc --version), not that of $1"
  rm -rf "$context"
  mkdir -p "$context/toolchain/lib"
  cp -r "$toolchain/bin" "$context/toolchain/"
  cp -r "$toolchain"/lib/*.so* "$toolchain/lib/rustlib" "$context/toolchain/lib/"
  cp /etc/ssl/certs/ca-certificates.crt "$context/certificates.crt"
  on_debian "$context" "$1"
}

make_postgres() {
  local context=$place/postgres bin
  # The package, not what this system has installed, whose files lie all over it.
  bin=$(scripts/postgres-version.sh 16) || die "PostgreSQL 16 cannot be fetched"
  rm -rf "$context"
  mkdir -p "$context"
  cp -r "$bin/.." "$context/server"
  rm -f "$context/server/bin/psql" "$context/server/bin/pg_isready"
  cp scripts/image/postgres-entrypoint.sh "$context/"
  on_debian "$context" "$1"
}

# --- the image ---

build() {
  local cargo=${CARGO_HOME:-$HOME/.cargo}/config.toml reach=()
  on_bases Dockerfile "$place/Dockerfile"
  say "building the image (profile ${PROFILE:-release}; this takes some minutes)"
  if [[ $engine == docker ]]; then
    DOCKER_BUILDKIT=1 docker build --build-arg PROFILE="${PROFILE:-release}" -t ict-index -f "$place/Dockerfile" .
  else
    # How this machine reaches its registry may be nobody else's business: lent to the build, in no layer of any image.
    [[ ! -e $cargo ]] || reach=(--volume "$(realpath "$cargo"):/usr/local/cargo/config.toml:ro")
    podman build --network host --isolation chroot "${reach[@]}" --build-arg PROFILE="${PROFILE:-release}" --format docker -t ict-index -f "$place/Dockerfile" .
  fi
}

# The last stage of Dockerfile alone, on a binary that this checkout has built.
build_short() {
  local context=$place/short
  guarded cargo build --locked --bin ict-index
  rm -rf "$context"
  mkdir -p "$context"
  install -m 755 "${CARGO_TARGET_DIR:-target}/debug/ict-index" "$context/ict-index"
  awk '/^FROM/ { stage++ } stage > 1' Dockerfile | sed 's#^COPY --from=build [^ ]* #COPY ict-index #' >"$place/short.Dockerfile"
  grep -q '^COPY ict-index ' "$place/short.Dockerfile" || die "the last stage of Dockerfile copies no binary"
  on_bases "$place/short.Dockerfile" "$context/Dockerfile"
  if [[ $engine == docker ]]; then
    docker build -q -t ict-index "$context"
  else
    podman build -q --isolation chroot --format docker -t ict-index "$context"
  fi
}

# --- the compose file ---

container() { "$engine" ps -aq --filter "label=com.docker.compose.project=$PROJECT" --filter "label=com.docker.compose.service=$1" | head -n 1; }

# The container's own health check, by its own schedule (docker) or now (podman, whose timers are systemd's).
is_healthy() {
  if [[ $engine == docker ]]; then [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; else podman healthcheck run "$1" >/dev/null 2>&1; fi
}

until_healthy() {
  local service=$1 waited id
  for waited in {1..90}; do
    id=$(container "$service")
    if [[ -n $id ]] && is_healthy "$id"; then return; fi
    # Again and again from the start is not on its way.
    [[ -z $id ]] || (($("$engine" inspect -f '{{.RestartCount}}' "$id") < 5)) || break
    sleep 1
  done
  [[ -z $id ]] || "$engine" logs "$id" 2>&1 | tail -n 30 >&2
  die "$service does not get healthy ($waited s)"
}

# What the compose file promises of every container, checked in the container itself.
is_hardened() {
  local service=$1 user=$2 id status
  id=$(container "$service")
  status=$("$engine" exec "$id" cat /proc/1/status)
  grep -Eq "^Uid:\s+$user\s+$user\s" <<<"$status" || die "$service does not run as $user"
  [[ $(grep -Ec '^Cap(Eff|Bnd):\s+0+$' <<<"$status") == 2 ]] || die "$service has capabilities"
  grep -Eq '^NoNewPrivs:\s+1$' <<<"$status" || die "$service may gain privileges"
  if "$engine" exec "$id" touch /etc/here 2>/dev/null; then die "the root file system of $service is writable"; fi
  ! grep -Eq ' / [^ ]+ rw[, ]' < <("$engine" exec "$id" cat /proc/1/mounts) || die "the root file system of $service is mounted for writing"
}

run_compose() {
  local directory=$place/compose port id database
  database=$(sed -n 's/^ *image: \(postgres:.*\)/\1/p' docker-compose.yml)
  base "$database"
  rm -rf "$directory"
  mkdir -p "$directory"
  cp -r scripts "$directory/"
  port=$(free_port)
  sed "s/^name: .*/name: $PROJECT/; s/127\.0\.0\.1:8080:8080/127.0.0.1:$port:8080/; s#image: $database#image: ${base_of[$database]}#" docker-compose.yml >"$directory/docker-compose.yml"
  # podman gives a tmpfs no owner (Docker does): there the server that stands in has its socket in /tmp.
  [[ $engine == docker ]] || sed -i 's#, "/var/run/postgresql:uid=999,gid=999,mode=3775"##' "$directory/docker-compose.yml"
  "$directory/scripts/make-secrets.sh" >/dev/null
  cd "$directory"
  compose+=(-p "$PROJECT" -f "$directory/docker-compose.yml")
  # What a run that was killed left behind.
  "${compose[@]}" down -v >/dev/null 2>&1 || true
  "${compose[@]}" config >/dev/null || die "docker-compose.yml is not valid"

  say "the database"
  "${compose[@]}" up -d --no-build postgres >"$place/compose.log" 2>&1 || { cat "$place/compose.log" >&2; die "postgres does not start"; }
  until_healthy postgres
  is_hardened postgres 999

  say "migrate, twice: every step may be repeated"
  for _ in 1 2; do
    "${compose[@]}" run --rm --no-deps migrate >"$place/migrate.log" 2>&1 || { cat "$place/migrate.log" >&2; die "migrate failed"; }
  done

  say "the service"
  "${compose[@]}" up -d --no-build --no-deps ict-index >"$place/compose.log" 2>&1 || { cat "$place/compose.log" >&2; die "ict-index does not start"; }
  until_healthy ict-index
  is_hardened ict-index 65532
  curl -sf -o /dev/null "http://127.0.0.1:$port/readyz" || die "/readyz is not answered on the published port"
  [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics") == 404 ]] || die "the metrics are served on the published port"
  curl -sf "http://127.0.0.1:$port/openapi.json" | grep '"openapi"' >/dev/null || die "the description is not served"

  say "the commands that the file's header and docs/operations.md name"
  local admin
  admin=$(sed -n 's/^# *docker compose run --rm \([a-z-]*\) user add --help.*/\1/p' docker-compose.yml)
  # Docker takes the profile of a service that is named; podman-compose needs it named. It has the service's name.
  "${compose[@]}" --profile "${admin:-ict-index}" run --rm --no-deps "${admin:-ict-index}" user add --help 2>/dev/null | grep -- '--role' >/dev/null || die "the command for the first account does not run"

  say "an orderly end"
  id=$(container ict-index)
  "$engine" stop -t 30 "$id" >/dev/null 2>&1
  [[ $("$engine" inspect -f '{{.State.ExitCode}}' "$id") == 0 ]] || die "the service did not end in good order"
  say "image: as promised ($("$engine" image inspect -f '{{.Size}}' ict-index | awk '{ printf "%.0f MB", $1 / 1e6 }'))"
}

choose_engine
trap clean_up EXIT
case ${1:-} in
  '') build ;;
  --built) build_short ;;
  --run) ;;
  *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
run_compose
