#!/usr/bin/env bash
# `make oidc`: single sign-on against a real OpenID provider (npm's oidc-provider), both on loopback: the code flow, bearer tokens, key rotation, and
# tokens that must be refused. `--short` leaves out the rotation, which takes a minute or two, as CI runs it. Exit code 3: npm cannot be reached.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh
# shellcheck source=scripts/service.sh
. scripts/service.sh

place=target/oidc
mkdir -p "$place"
lock "$place/run.lock" --wait
command -v node >/dev/null && command -v npm >/dev/null || apt_install 'Node.js and npm' nodejs npm

# A copy, so that nothing is installed among the sources.
cp tests/oidc/package.json tests/oidc/package-lock.json tests/oidc/provider.mjs "$place/"
if ! cmp -s "$place/package-lock.json" "$place/node_modules/.installed-lock"; then
  say "installing oidc-provider from npm"
  (cd "$place" && npm ci --ignore-scripts --no-audit --no-fund --silent) || { say "npm cannot be reached"; exit 3; }
  cp "$place/package-lock.json" "$place/node_modules/.installed-lock"
fi

provider_port=$(free_port)
issuer=http://127.0.0.1:$provider_port
redirect=http://127.0.0.1:1/sso
secret=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
(umask 077 && printf '%s' "$secret" >"$place/client-secret")

printf '{"keys":[{"kid":"oidc","secret":"%s","not_before":"2018-01-01T00:00:00Z"}]}' "$(head -c 32 /dev/urandom | base64 -w 0)" >"$place/second-factor.keys"
chmod 600 "$place/second-factor.keys"

start_service "$place" target/pg-oidc \
  OIDC_ISSUER="$issuer" OIDC_CLIENT_ID=ict-index OIDC_CLIENT_SECRET_FILE="$place/client-secret" OIDC_REDIRECT_URI="$redirect" \
  OIDC_AUDIENCE=ict-index-api SECOND_FACTOR=required SECOND_FACTOR_KEY_FILE="$place/second-factor.keys"
export CLIENT_SECRET=$secret
PORT=$provider_port REDIRECT_URI=$redirect node "$place/provider.mjs" 2>"$place/provider.log" 9>&- &
provider=$!
# shellcheck disable=SC2064
trap "kill $provider $server 2>/dev/null || true; scripts/postgres.sh remove target/pg-oidc" EXIT
curl -sf --retry 50 --retry-delay 1 --retry-all-errors -o /dev/null "$issuer/.well-known/openid-configuration" ||
  { tail -n 20 "$place/provider.log" >&2; die "the provider does not start"; }

python3 -B tests/oidc/walk.py "$api" "$issuer" "$redirect" "$@" || {
  tail -n 20 "$place/provider.log" "$place/service.log" >&2
  die "single sign-on does not hold"
}
