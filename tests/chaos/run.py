#!/usr/bin/env python3
"""`make chaos`: breaks what can break while clients write, and compares their ledger with the database (docs/reliability.md).

SERVICE=... names the binary (target/debug/ict-index); POSTGRES_BIN=... the programs of PostgreSQL.
"""

import argparse
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from parts import faults, overload, restores, standby, storms
from parts.cluster import programs
from parts.common import BUILT, ROOT, Broken, Place, Skipped, run, say
from parts.control import control
from parts.stage import Stage

# On one stage, in this order; the last ones leave it unfit for more.
SCENARIOS: dict[str, Callable[[Stage], str]] = {
    "service-killed": storms.service_killed,
    "database-killed": storms.database_killed,
    "both-killed": storms.both_killed,
    "link-cut": storms.link_cut,
    "terminated": storms.terminated,
    "database-gone": faults.database_gone,
    "locked": faults.locked,
    "one-row": faults.one_row,
    "disk-full": faults.disk_full,
    "overload": overload.overload,
    "slow-connections": overload.slow_connections,
    "smuggling": overload.smuggling,
}
# With stages of their own.
APART: dict[str, Callable[[Path, Path, int], str]] = {
    "control": control,
    "restore": restores.restore,
    "promotion": standby.promotion,
}
LONG_ONLY = {"promotion"}
# What .ci/run breaks, in a minute: the three ways to lose an acknowledged write, and the proof that losing one is seen.
CI = ["service-killed", "database-killed", "link-cut", "control"]


def attempt(name: str, work: Callable[[], str]) -> tuple[str, str, str]:
    """(scenario, outcome, figures)"""
    began = time.monotonic()
    try:
        outcome, told = "kept", work()
    except Skipped as reason:
        outcome, told = "skipped", str(reason)
    except Broken as reason:
        outcome, told = "BROKEN", str(reason)
    except Exception as error:  # noqa: BLE001: the others still count
        traceback.print_exc()
        outcome, told = "FAILED", f"{type(error).__name__}: {error}"
    say(f"{name}: {outcome} ({time.monotonic() - began:.0f} s) {told}")
    return name, outcome, told


def on_one_stage(binary: Path, home: Path, chosen: list[str], writers: int, long: bool) -> list[tuple[str, str, str]]:
    if not chosen:
        return []
    stage = Stage(binary, home, writers, long)
    try:
        rows = []
        for name in chosen:
            rows.append(attempt(name, lambda name=name: SCENARIOS[name](stage)))
            # A scenario that broke may have left the service or the database down: the next one has its own chance.
            if rows[-1][1] not in ("kept", "skipped"):
                _set_up_again(stage)
        return rows
    finally:
        stage.close()
        if os.environ.get("CHAOS_LOG"):
            Path(os.environ["CHAOS_LOG"]).write_bytes(stage.service.log.read_bytes())


def _set_up_again(stage: Stage) -> None:
    stage.link.cut = ""
    stage.ledger.violations.clear()
    if not (stage.cluster.data / "postmaster.pid").exists():
        stage.cluster.start()
    if stage.service.child.poll() is not None:
        stage.service.start()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="more of everything, and the promotion of a standby")
    parser.add_argument("--ci", action="store_true", help=f"no more than {', '.join(CI)}")
    parser.add_argument("--only", default="", metavar="NAME,…", help=f"some of: {', '.join([*SCENARIOS, *APART])}")
    parser.add_argument("--writers", type=int, default=0, help="4 to 16 (8; long: 16)")
    chosen = parser.parse_args()
    chosen.only = [name for name in chosen.only.split(",") if name] or (CI if chosen.ci else [])
    unknown = [name for name in chosen.only if name not in SCENARIOS and name not in APART]
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}")
    return chosen


def conditions(binary: Path, writers: int, long: bool) -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    version = run(programs() / "postgres", "--version").split()[2]
    build = "release" if "release" in binary.parts else "debug"
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC} · {run('git', 'describe', '--always', '--dirty').strip()} · {build} build · PostgreSQL {version} · "
        f"{os.cpu_count()} cores ({model}) · {writers} writers · {'long' if long else 'short'} form"
    )


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    binary = Path(os.environ.get("SERVICE") or BUILT / "debug" / "ict-index").resolve()
    if not binary.exists():
        sys.exit(f"error: {binary.relative_to(ROOT) if binary.is_relative_to(ROOT) else binary} is missing: cargo build")
    writers, began = chosen.writers or (16 if chosen.long else 8), time.monotonic()
    wanted = lambda name: name in chosen.only or not chosen.only and (chosen.long or name not in LONG_ONLY)  # noqa: E731
    with Place() as home:
        rows = on_one_stage(binary, home, [name for name in SCENARIOS if wanted(name)], writers, chosen.long)
        for name, work in APART.items():
            if wanted(name):
                rows.append(attempt(name, lambda name=name, work=work: work(binary, home / name, writers)))
    print(f"{conditions(binary, writers, chosen.long)} · {time.monotonic() - began:.0f} s\n")
    print("| scenario | outcome | figures |\n|---|---|---|")
    for name, outcome, told in rows:
        print(f"| {name} | {outcome} | {told.replace('|', '/')} |")
    return 1 if any(outcome not in ("kept", "skipped") for _, outcome, _ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
