"""The service's own binary, started and ended, and requests to it."""

import base64
import http.client
import json
import os
import select
import signal
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

from .common import PASSWORD, ROOT, free_port, run, until


class Lost(Exception):
    """No answer: what was asked may have been done or not."""


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes, seconds: float):
        self.status, self.headers, self.body, self.seconds = status, headers, body, seconds

    def json(self):
        return json.loads(self.body) if self.body else None

    def __repr__(self):
        return f"{self.status} after {self.seconds:.2f} s: {self.body[:300]!r}"


class Caller:
    """One connection at a time, kept alive; for one thread."""

    def __init__(self, port: int, timeout: float = 30):
        self.port, self.timeout, self.connection = port, timeout, None

    def request(self, method: str, path: str, body=None, headers: dict[str, str] | None = None) -> Answer:
        """A path without a leading `/` is under `/api/v1/`. Raises `Lost`."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        began = time.monotonic()
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection.request(method, path if path.startswith("/") else f"/api/v1/{path}", body=body, headers=headers)
            answer = self.connection.getresponse()
            text = answer.read()
            if answer.will_close:
                self.close()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text, time.monotonic() - began)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Lost(f"{type(error).__name__}: {error}") from error

    def was_ended(self) -> bool:
        """The other end has closed the connection while nothing was asked on it."""
        return bool(select.select([self.connection.sock], [], [], 0)[0])

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Service:
    """`ict-index serve` on a port of its own; its log goes to a file that is appended to."""

    def __init__(self, binary: Path, home: Path, database_url: str, **env: str):
        self.binary, self.log = binary, home / "service.log"
        self.port = free_port()
        keys = home / "token.keys"
        self.env = {
            "DATABASE_URL": database_url, "BIND_ADDRESS": f"127.0.0.1:{self.port}", "TOKEN_KEY_FILE": str(keys),
            "DEMO_PASSWORD": PASSWORD, "RUST_LOG": "info", "SECOND_FACTOR": "optional",
        } | env
        self.child = None
        self._tokens, self._lock = {}, threading.Lock()
        if not keys.exists():
            self.command("keys", "rotate")

    def command(self, *arguments: str, **env: str) -> str:
        return run(self.binary, *arguments, env=os.environ | self.env | env)

    def start(self, ready: bool = True) -> float:
        """Seconds until it was ready."""
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                [str(self.binary), "serve"], cwd=ROOT, env=os.environ | self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return until("the service is ready", lambda: self.status("/readyz" if ready else "/healthz") == 200, 60)

    def status(self, path: str) -> int:
        """0: no answer."""
        try:
            return Caller(self.port, 5).request("GET", path).status
        except Lost:
            return 0

    def kill(self) -> None:
        self.child.kill()
        self.child.wait()

    def terminate(self) -> None:
        self.child.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.child and self.child.poll() is None:
            self.terminate()
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def rss(self) -> float:
        """MiB."""
        text = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def caller(self, timeout: float = 30) -> Caller:
        return Caller(self.port, timeout)

    def bearer(self, who: str, anew: bool = False) -> dict[str, str]:
        """Headers of a user, or of a machine client (`client:vnpt`); taken once, again when asked to. Raises `Lost`."""
        with self._lock:
            kept, until_when = self._tokens.get(who, (None, 0))
            if anew or time.monotonic() > until_when:
                kept = self._log_in(who)
                self._tokens[who] = (kept, time.monotonic() + 600)
            return {"Authorization": f"Bearer {kept}"}

    def _log_in(self, who: str) -> str:
        if who.startswith("client:"):
            basic = base64.b64encode(f"{who[7:]}:{PASSWORD}".encode()).decode()
            headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
            answer = self.caller().request("POST", "oauth/token", urlencode({"grant_type": "client_credentials"}), headers)
        else:
            answer = self.caller().request("POST", "auth/login", {"username": who, "password": PASSWORD})
        if answer.status != 200:
            raise Lost(f"no token for {who}: {answer}")
        return answer.json()["access_token"]
