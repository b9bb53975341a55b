#!/usr/bin/env bash
# Makes the further secrets that docker-compose.ha.yml reads, in secrets/. What exists is left as it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p secrets
chmod 700 secrets
umask 022
for name in postgres_password replication_password owner_password service_password; do
  [[ -e secrets/$name ]] || { head -c 24 /dev/urandom | base64 -w 0 | tr '+/' '-_' >"secrets/.$name.new" && mv "secrets/.$name.new" "secrets/$name"; }
done
