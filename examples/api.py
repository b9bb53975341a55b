"""What the two clients beside this file share: a token, requests, problems. Python's standard library is all it needs."""

import base64
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request


class Problem(Exception):
    """An answer in application/problem+json."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        faults = "; ".join(f"{e['pointer']}: {e['detail']}" for e in body.get("errors", [])[:10])
        # The token endpoint speaks OAuth's own language.
        code, detail = body.get("code") or body.get("error"), body.get("detail") or body.get("error_description")
        super().__init__(f"{status} {code}: {detail} {faults}".strip())


class Client:
    """A machine client: takes a token when it needs one, sends requests, waits when it is told to."""

    def __init__(self, base, client_id, secret):
        self.base, self.client_id, self.secret = base.rstrip("/") + "/api/v1", client_id, secret
        self.token, self.token_ends = None, 0.0

    @classmethod
    def from_environment(cls):
        base = os.environ.get("ICT_INDEX_URL", "http://127.0.0.1:8080")
        return cls(base, os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])

    def bearer(self):
        """The token, renewed a minute before it ends."""
        if time.monotonic() > self.token_ends - 60:
            basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            form = urllib.parse.urlencode({"grant_type": "client_credentials"}).encode()
            headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
            answer = self.send(urllib.request.Request(f"{self.base}/oauth/token", form, headers, method="POST"))
            body = json.load(answer)
            self.token, self.token_ends = body["access_token"], time.monotonic() + body["expires_in"]
        return self.token

    def request(self, method, path, body=None, **headers):
        """(status, headers, parsed body); 304 has none. A refused token is renewed once."""
        for attempt in (1, 2):
            # Header names are written with hyphens: `if_none_match="…"` becomes `If-None-Match`.
            named = {name.replace("_", "-").title(): value for name, value in headers.items()}
            named["Authorization"] = f"Bearer {self.bearer()}"
            request = urllib.request.Request(self.base + path, body, named, method=method)
            try:
                answer = self.send(request)
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else None
            except Problem as problem:
                if problem.status != 401 or attempt == 2:
                    raise
                self.token_ends = 0.0

    def send(self, request, attempts=5):
        """Sends once; again only where the service says that it is busy."""
        for attempt in range(1, attempts + 1):
            try:
                return urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as answer:
                if answer.code == 304:
                    return answer
                text = answer.read()
                if answer.code in (429, 503) and attempt < attempts:
                    time.sleep(float(answer.headers.get("Retry-After", "1")))
                    continue
                raise Problem(answer.code, json.loads(text or b"{}")) from None
