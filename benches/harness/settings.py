"""Where things are, how long to measure, and how other programs are called."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = ROOT / "benches"
# cargo's target directory for what is built, the checkout's own for what is measured with.
BUILT = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
WORK = ROOT / "target" / "bench"
CONNECTIONS = 64
CORES = os.cpu_count() or 1


class NotThere(Exception):
    """What a line would measure does not exist here: it is left out, and the table says why."""


@dataclass(frozen=True)
class Settings:
    """How much is measured. The short form is bounded to five minutes after the builds: late, a line makes one round instead of three."""

    long: bool
    rows: int
    seconds: int
    rounds: int
    only: tuple[str, ...] = ()
    stream_bytes: int = 200_000_000
    hurry_from: float = float("inf")
    with_rivals: bool = field(default_factory=lambda: os.environ.get("BENCH_RIVALS", "yes") != "no")

    def each_round(self) -> Iterator[int]:
        """At least one, and no further one when time is short."""
        for number in range(self.rounds):
            if number and time.monotonic() > self.hurry_from:
                say("time is short: fewer rounds")
                return
            yield number

    @property
    def small_rows(self) -> int:
        """What growth is measured from."""
        return min(600_000, self.rows)

    @classmethod
    def of(cls, long: bool, only: str) -> "Settings":
        """From the form asked for and the environment."""
        return cls(
            long=long,
            rows=count(os.environ.get("ROWS") or ("6M" if long else "600k")),
            seconds=count(os.environ.get("BENCH_SECONDS") or ("5" if long else "2")),
            rounds=count(os.environ.get("BENCH_ROUNDS") or ("5" if long else "3")),
            only=tuple(name for name in only.split(",") if name),
            stream_bytes=count(os.environ.get("BENCH_STREAM") or ("1G" if long else "200M")),
        )


def count(text: str) -> int:
    """`600k`, `6M`, `1G` or a plain number."""
    match = re.fullmatch(r"(\d+)([kMG]?)", text.strip())
    if not match or int(match[1]) == 0:
        sys.exit(f"error: expected a number such as 600k, 6M or 60000, got {text!r}")
    return int(match[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[match[2]]


def say(text: str) -> None:
    """Progress goes to stderr: stdout belongs to the table."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command: object, timeout: float | None = None, **options) -> str:
    """The output of a command that must succeed."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT} | options
    text = [str(part) for part in command]
    done = subprocess.run(text, timeout=timeout, check=False, **options)
    if done.returncode:
        tail = (done.stderr or done.stdout or "").strip().splitlines()[-8:]
        raise RuntimeError(f"{' '.join(text[:4])} … ended with {done.returncode}: " + "\n".join(tail))
    return done.stdout or ""
