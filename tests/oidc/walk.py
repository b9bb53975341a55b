#!/usr/bin/env python3
"""Walks single sign-on against a real provider: the code flow, bearer tokens, key rotation, and what must be refused.

walk.py API PROVIDER REDIRECT_URI [--short], with DEMO_PASSWORD and CLIENT_SECRET in the environment; scripts/oidc.sh starts both. Only Python's own library.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import struct
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

API, PROVIDER, REDIRECT = sys.argv[1:4]
PASSWORD, SECRET = os.environ["DEMO_PASSWORD"], os.environ["CLIENT_SECRET"]
checks = 0


class Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are walked by hand."""

    def redirect_request(self, *_):
        return None


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def call(method, url, body=None, token=None, opener=None, headers=None, form=None):
    headers = dict(headers or {})
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    if form is not None:
        data, headers["Content-Type"] = urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        answer = (opener or urllib.request.build_opener(Stay)).open(request, timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode()
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = text
    return answer.status, parsed, answer.headers


def check(what, got, wanted):
    global checks
    checks += 1
    if got != wanted:
        sys.exit(f"oidc: {what}: got {got!r}, expected {wanted!r}")
    print(f"  ok  {what}")


def api(method, path, body=None, token=None, headers=None):
    return call(method, f"{API}/api/v1/{path}", body, token, headers=headers)


def totp(secret):
    """RFC 6238, as an authenticator computes it."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    (number,) = struct.unpack(">I", digest[digest[-1] & 15 :][:4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06}"


def administrator():
    """Logs in, enrols a second factor, and goes on."""
    _, session, _ = api("POST", "auth/login", {"username": "admin", "password": PASSWORD})
    token = session["access_token"]
    _, begun, _ = api("POST", "me/second-factor", {"current_password": PASSWORD}, token)
    status, answer, _ = api("POST", "me/second-factor/confirmation", {"code": totp(begun["secret"])}, token)
    check("an administrator enrols a second factor", status, 200)
    _, renewed, _ = api("POST", "auth/refresh", {"refresh_token": session["refresh_token"]})
    return renewed["access_token"]


def change(username, body):
    _, _, headers = api("GET", f"users/{username}", token=ADMIN)
    status, answer, _ = api("PATCH", f"users/{username}", body, ADMIN, {"If-Match": headers["ETag"]})
    assert status == 200, answer


def link(username, subject):
    change(username, {"external_subject": subject})


def at_provider(url, user):
    """Follows the provider's redirects as a browser would, until it leads back; answers code and state."""
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor())
    for _ in range(8):
        status, answer, headers = call("GET", url, opener=opener, headers={"X-Login": user})
        if status not in (302, 303):
            sys.exit(f"oidc: the provider answered {status} at {url}: {answer}")
        url = urllib.parse.urljoin(url, headers["Location"])
        if url.startswith(REDIRECT):
            return {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).items()}
    sys.exit("oidc: the provider leads round in circles")


def start():
    verifier = secrets.token_urlsafe(48)
    challenge = b64(hashlib.sha256(verifier.encode()).digest())
    status, answer, headers = api("GET", f"auth/oidc/start?challenge={challenge}")
    assert status == 302, answer
    return headers["Location"], verifier


def callback(answer, verifier):
    return api("POST", "auth/oidc/callback", {"code": answer["code"], "state": answer["state"], "verifier": verifier})


def sign_on(user):
    location, verifier = start()
    return callback(at_provider(location, user), verifier)


def access_token(user, client="ict-index", resource="urn:ict-index-api"):
    """An access token as another application of the province gets one."""
    verifier = secrets.token_urlsafe(48)
    query = urllib.parse.urlencode({
        "response_type": "code", "client_id": client, "redirect_uri": REDIRECT, "scope": "openid", "resource": resource, "state": "x",
        "code_challenge": b64(hashlib.sha256(verifier.encode()).digest()), "code_challenge_method": "S256",
    })
    answer = at_provider(f"{PROVIDER}/auth?{query}", user)
    basic = base64.b64encode(f"{client}:{SECRET}".encode()).decode()
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": REDIRECT, "code_verifier": verifier, "resource": resource}
    status, tokens, _ = call("POST", f"{PROVIDER}/token", form=form, headers={"Authorization": f"Basic {basic}"})
    assert status == 200, tokens
    return tokens


def mint(**wanted):
    return call("POST", f"{PROVIDER}/test/mint", wanted)[1]


def me(token):
    status, answer, _ = api("GET", "me", token=token)
    return status, answer.get("username") or answer.get("code")


def code_flow():
    status, tokens, _ = sign_on("an.nguyen")
    check("a login at the provider opens a session", status, 200)
    check("of the linked user", me(tokens["access_token"]), (200, "monitor"))
    status, answer, _ = sign_on("somebody")
    check("an identity that is linked to no user", (status, answer["code"]), (401, "INVALID_SINGLE_SIGN_ON"))
    status, answer, _ = sign_on("binh.tran")
    check("a coordinator without a second factor", (status, answer["code"]), (401, "SECOND_FACTOR_REQUIRED"))
    status, tokens, _ = sign_on("binh.tran+mfa")
    check("a coordinator with one", status, 200)
    check("whose session opens what is the coordinator's", api("GET", "agencies", token=tokens["access_token"])[0], 200)

    location, verifier = start()
    answer = at_provider(location, "an.nguyen")
    status, problem, _ = callback(answer, "another verifier, of another browser")
    check("a code in another browser", (status, problem["code"]), (401, "INVALID_SINGLE_SIGN_ON"))
    other, other_verifier = start()
    foreign = {"code": answer["code"], "state": at_provider(other, "an.nguyen")["state"]}
    status, problem, _ = callback(foreign, other_verifier)
    check("a code with another login's state (PKCE, nonce)", (status, problem["code"]), (401, "INVALID_SINGLE_SIGN_ON"))
    location, verifier = start()
    answer = at_provider(location, "an.nguyen")
    check("a code", callback(answer, verifier)[0], 200)
    check("the same code again", callback(answer, verifier)[0], 401)


def bearer_tokens():
    tokens = access_token("an.nguyen")
    check("an access token of the provider", me(tokens["access_token"]), (200, "monitor"))
    check("an ID token in its place", me(tokens["id_token"])[0], 401)
    check("an access token for another service", me(access_token("an.nguyen", resource="urn:another-api")["access_token"])[0], 401)
    check("an access token of another client", me(access_token("an.nguyen", client="other")["access_token"])[0], 401)
    check("a coordinator's without a second factor", me(access_token("binh.tran")["access_token"]), (401, "SECOND_FACTOR_REQUIRED"))
    check("a coordinator's with one", me(access_token("binh.tran+mfa")["access_token"]), (200, "coordinator"))


def forgeries():
    now = int(time.time())
    for alg in ("RS256", "PS256", "ES256"):
        check(f"signed with {alg}", me(mint(alg=alg)), (200, "monitor"))
        check(f"signed with a stranger's {alg} key", me(mint(alg=alg, key="stranger"))[0], 401)
    for what, wanted in {
        "expired": {"claims": {"exp": now - 61}},
        "not yet in force": {"claims": {"nbf": now + 120}},
        "of another issuer": {"claims": {"iss": "https://sso.other.vn"}},
        "for another audience": {"claims": {"aud": "another-api"}},
        "of another party": {"claims": {"azp": "other"}},
        "of an unlinked subject": {"claims": {"sub": "somebody"}},
        "with an unknown key id": {"kid": "unknown"},
        "of another type": {"typ": "logout+jwt"},
    }.items():
        check(f"a token {what}", me(mint(alg="RS256", **wanted))[0], 401)
    check("a token without a signature (alg none)", me(mint(alg="none"))[0], 401)
    check("the public key as a shared secret (HS256)", me(mint(alg="HS256"))[0], 401)


def rotation():
    old = access_token("an.nguyen")["access_token"]
    call("POST", f"{PROVIDER}/test/rotate", {})
    deadline = time.monotonic() + 90
    # Keys are read twice a minute at the most.
    while me(new := access_token("an.nguyen")["access_token"])[0] != 200:
        if time.monotonic() > deadline:
            sys.exit("oidc: the new keys are not read")
        time.sleep(2)
    check("a token of the new keys", me(new), (200, "monitor"))
    status, _, _ = sign_on("an.nguyen")
    check("a login after the rotation", status, 200)
    # Remembered for a minute at the most, and then the key is gone.
    deadline = time.monotonic() + 90
    while me(old)[0] == 200:
        if time.monotonic() > deadline:
            sys.exit("oidc: a token of the old keys is still good")
        time.sleep(2)
    check("a token of the old keys", me(old)[0], 401)


def disabling():
    token = access_token("an.nguyen")["access_token"]
    check("before the user is disabled", me(token)[0], 200)
    change("monitor", {"disabled": True})
    check("at the next request", me(token)[0], 401)


ADMIN = administrator()
link("monitor", "an.nguyen")
link("coordinator", "binh.tran")
code_flow()
bearer_tokens()
forgeries()
if "--short" not in sys.argv:
    rotation()
disabling()
print(f"oidc: {checks} checks passed")
