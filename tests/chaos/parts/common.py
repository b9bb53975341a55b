"""Where things are, and what every part needs."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
PASSWORD = "ruong bac thang 332"


class Skipped(Exception):
    """A scenario that cannot be tried here. It is told as skipped, never as passed."""


class Broken(Exception):
    """A promise that was not kept."""


def promise(kept: bool, what: str) -> None:
    if not kept:
        raise Broken(what)


def say(text: str) -> None:
    """Progress goes to stderr: stdout belongs to the table."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command: object, **options) -> str:
    """The output of a command that must succeed."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT, "timeout": 300} | options
    text = [str(part) for part in command]
    done = subprocess.run(text, check=False, stdin=subprocess.DEVNULL, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(text[:6])} … ended with {done.returncode}: {(done.stdout or '')[-800:]}")
    return done.stdout or ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what: str, so: Callable[[], bool], seconds: float = 30, pause: float = 0.02) -> float:
    """Waits until it is so; answers how long that took."""
    began = time.monotonic()
    while not so():
        if time.monotonic() - began > seconds:
            raise Broken(f"it did not come about within {seconds} s that {what}")
        time.sleep(pause)
    return time.monotonic() - began


class Place:
    """A directory that the server's user may enter, gone at the end."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="ict-index-chaos-", dir="/var/tmp"))
        self.path.chmod(0o755)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
