#!/usr/bin/env python3
"""`make bench`: measures the release build against limits and rivals on this machine and prints the table (benches/README.md)."""

import argparse
import fcntl
import os
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

from harness import data, others, reads, report, scores, writes
from harness.context import Bench
from harness.database import Server
from harness.report import Row
from harness.rivals import Rivals
from harness.service import KEYS, Service
from harness.settings import BUILT, ROOT, WORK, NotThere, Settings, run, say

# In the order of the table. Each answers rows, or raises NotThere.
LINES = {
    "cached": reads.cached,
    "uncached": reads.uncached,
    "province": reads.province_month,
    "list": reads.lists,
    "batch": writes.batches,
    "memory": writes.memory,
    "freshness": writes.freshness,
    "submission": writes.submissions,
    "export": others.export,
    "login": others.login,
    "flood": others.flood,
    "score": scores.score_run,
    "growth": reads.growth,
    "growth-batch": writes.growth,
    "footprint": others.footprint,
}
# Of the five minutes of the short form; what is left when it is reached has one round each.
UNHURRIED_SECONDS = 210
LONG_ONLY = {"growth", "growth-batch"}


def tools() -> None:
    """What the checkout needs to build, and the load tool."""
    run(ROOT / "scripts" / "ensure-tools.sh", stdout=None, stderr=None)
    install = ". scripts/common.sh; command -v wrk >/dev/null || apt_install 'wrk (the load tool)' wrk"
    run("bash", "-c", install, stdout=None, stderr=None)


def build() -> tuple[Path, Path]:
    """The service and the static server. BENCH_BINARY and BENCH_STATIC name others, built before."""
    binary, static = os.environ.get("BENCH_BINARY"), os.environ.get("BENCH_STATIC")
    wanted = [*([] if binary else ["--bin", "ict-index"]), *([] if static else ["--example", "static_server"])]
    if wanted:
        say("building (the first time takes some minutes)")
        run("cargo", "build", "--release", "--locked", *wanted, stdout=None, stderr=None)
    release = BUILT / "release"
    return Path(binary or release / "ict-index").resolve(), Path(static or release / "examples" / "static_server").resolve()


def measure(bench: Bench, name: str) -> list[Row]:
    """A line that fails is a row that says so: the others still count."""
    started = time.monotonic()
    bench.service.empty_log()
    try:
        rows = LINES[name](bench)
    except NotThere as reason:
        rows = [Row(name, unit="", note=str(reason))]
    except Exception as error:
        traceback.print_exc()
        rows = [Row(name, unit="", errors=1, note=f"failed: {error}")]
    say(f"{name}: {time.monotonic() - started:.0f} s")
    return rows


def bench_all(settings: Settings, server: Server, binary: Path, static: Path) -> list[Row]:
    database, plan = data.prepare(server, binary, settings.rows)
    batch = data.batch(database, plan)
    rivals = Rivals(settings, database)
    try:
        with Service(binary, database) as main:
            bench = Bench(settings, binary, static, server, database, plan, batch, main, rivals)
            chosen = [name for name in LINES if name in settings.only or not settings.only]
            wanted = [name for name in chosen if settings.long or name not in LONG_ONLY]
            return [row for name in wanted for row in measure(bench, name)]
    finally:
        rivals.stop()


def arguments() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="6 M rows (ROWS=60M), more and longer rounds, growth")
    parser.add_argument("--only", default="", metavar="LINE,…", help=f"some lines: {', '.join(LINES)}")
    chosen = parser.parse_args()
    settings = Settings.of(chosen.long, chosen.only)
    unknown = [name for name in settings.only if name not in LINES]
    if unknown:
        parser.error(f"no such line: {', '.join(unknown)}")
    return settings


def main() -> int:
    settings = arguments()
    # Ctrl-C and SIGTERM alike end in the `finally`s below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    WORK.mkdir(parents=True, exist_ok=True)
    lock = open(WORK / "lock", "w", encoding="ascii")  # noqa: SIM115
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("error: another bench in this checkout is still going")
    tools()
    binary, static = build()
    if not KEYS.exists():
        run(binary, "keys", "rotate", env=os.environ | {"TOKEN_KEY_FILE": str(KEYS)})
    server, started = Server(), time.monotonic()
    if not settings.long:
        settings = replace(settings, hurry_from=started + UNHURRIED_SECONDS)
    server.start()
    try:
        rows = bench_all(settings, server, binary, static)
        about = report.conditions(settings, server.version())
    finally:
        server.stop()
    about["took"] = f"{time.monotonic() - started:.0f} s without the builds"
    print(report.write(about, rows))
    return 1 if any(row.errors for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
