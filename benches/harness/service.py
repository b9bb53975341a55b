"""Processes that answer HTTP: the service as shipped, and whatever it is compared with."""

import base64
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlencode

from .database import Database
from .settings import ROOT, WORK, NotThere, run

KEYS = WORK / "token.keys"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A server on a port of its own, its output in a file."""

    def __init__(self, name: str, command: list[object], env: dict[str, str], port: int, ready: str):
        self.name, self.port, self.base = name, port, f"http://127.0.0.1:{port}"
        self.log = WORK / f"{name}.log"
        started = time.perf_counter()
        # Appending, so that a truncated log begins anew.
        with open(self.log, "wb") as _, open(self.log, "ab") as log:
            command = [str(part) for part in command]
            self.child = subprocess.Popen(
                command, cwd=ROOT, env=os.environ | env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait(ready)
        except BaseException:
            self.stop()
            raise
        self.ready_after = time.perf_counter() - started

    def _wait(self, path: str) -> None:
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up and self.child.poll() is None:
            try:
                if self.request("GET", path, timeout=2)[0] < 400:
                    return
            except OSError:
                pass
            time.sleep(0.002)
        tail = self.log.read_text(encoding="utf-8", errors="replace")[-500:]
        raise RuntimeError(f"{self.name} does not answer: {tail}")

    def stop(self) -> None:
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGTERM)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()
        # The access log of a run is of no further use, and long.
        if self.log.exists() and self.log.stat().st_size > 1_000_000:
            os.truncate(self.log, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def request(self, method: str, path: str, body=None, headers: dict[str, str] | None = None, timeout: float = 600):
        """(status, headers in lower case, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout, blocksize=1 << 20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, path: str, headers: dict[str, str] | None = None):
        status, _, body = self.request("GET", path, headers=headers)
        if status != 200:
            raise RuntimeError(f"GET {path} of {self.name}: {status} {body[:300]!r}")
        return json.loads(body)

    def _status(self, field: str) -> float:
        text = Path(f"/proc/{self.child.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in text.splitlines() if line.startswith(field)).split()[1]) / 1024

    def rss(self) -> float:
        """MiB."""
        return self._status("VmRSS")

    def peak(self) -> float:
        """MiB, the highest since `reset_peak`."""
        return self._status("VmHWM")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.child.pid}/clear_refs").write_text("5", encoding="ascii")

    def empty_log(self) -> None:
        os.truncate(self.log, 0)


def demo_password() -> str:
    """Kept beside the data, as `make run` keeps its own."""
    path = WORK / "demo-password"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
        path.chmod(0o600)
    return path.read_text(encoding="ascii").strip()


def environment(database: Database) -> dict[str, str]:
    return {"DATABASE_URL": database.url, "TOKEN_KEY_FILE": str(KEYS), "DEMO_PASSWORD": demo_password(), "SECOND_FACTOR": "optional"}


def command(binary: Path, database: Database, *arguments: str) -> str:
    """A command of the binary on the database."""
    return run(binary, *arguments, env=os.environ | environment(database))


class Service(Process):
    """The service itself: access log, metrics, authentication, all as shipped."""

    def __init__(self, binary: Path, database: Database, name: str = "service", **env: str):
        self.binary, self.database = binary, database
        port = free_port()
        env = environment(database) | {"BIND_ADDRESS": f"127.0.0.1:{port}"} | env
        super().__init__(name, [binary, "serve"], env, port, "/readyz")
        self._paths = None

    def client_token(self, client: str) -> str:
        """Anew for each line: it lives 15 minutes."""
        basic = base64.b64encode(f"{client}:{demo_password()}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        return self._token("/api/v1/oauth/token", urlencode({"grant_type": "client_credentials"}), headers)

    def user_token(self, username: str) -> str:
        body = json.dumps({"username": username, "password": demo_password()})
        return self._token("/api/v1/auth/login", body, {"Content-Type": "application/json"})

    def _token(self, path: str, body: str, headers: dict[str, str]) -> str:
        status, _, answer = self.request("POST", path, body, headers)
        if status != 200:
            raise RuntimeError(f"no token: {status} {answer[:300]!r}")
        return json.loads(answer)["access_token"]

    def must_offer(self, path: str, method: str, media_type: str | None = None) -> None:
        """`NotThere` unless the service describes the operation (and that it takes the media type)."""
        if self._paths is None:
            self._paths = self.json("/openapi.json")["paths"]
        operation = self._paths.get(path, {}).get(method)
        if operation is None:
            raise NotThere(f"not there yet: {method.upper()} {path}")
        if media_type and media_type not in operation.get("requestBody", {}).get("content", {}):
            raise NotThere(f"not there yet: {method.upper()} {path} takes no {media_type}")


def bearer(token: str, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **more}
