#!/usr/bin/env python3
"""`make ha`: two instances behind HAProxy on three nodes of PostgreSQL that Patroni leads; what breaks is broken under writers, and their
ledger compared (docs/high-availability.md). Needs root: each node has a network namespace and small disks of its own.

SERVICE=... names the binary (target/release/ict-index).
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chaos"))

import events  # noqa: E402
import network  # noqa: E402
from cluster_site import Site  # noqa: E402
from parts.cluster import programs  # noqa: E402
from parts.common import BUILT, Broken, Place, run, say  # noqa: E402

EVENTS: dict[str, Callable[[Site], str]] = {
    "switchover": events.switchover,
    "leader-killed": events.leader_killed,
    "postgres-killed": events.postgres_killed,
    "node-cut": events.node_cut,
    "node-isolated": events.node_isolated,
    "standby-cut": events.standby_cut,
    "disk-full": events.disk_full,
    "instance-killed": events.instance_killed,
    "instance-replaced": events.instance_replaced,
}


def attempt(name: str, event: Callable[[Site], str], site: Site) -> tuple[str, str, str]:
    began = time.monotonic()
    try:
        outcome, detail = "kept", event(site)
    except Broken as reason:
        outcome, detail = "BROKEN", str(reason)
    except Exception as error:  # noqa: BLE001: the others still count
        traceback.print_exc()
        outcome, detail = "FAILED", f"{type(error).__name__}: {error}"
    say(f"{name}: {outcome} ({time.monotonic() - began:.0f} s) {detail}")
    if outcome != "kept":
        _mend(site)
    return name, outcome, detail


def _mend(site: Site) -> None:
    """An event that broke has left something broken: the next one has its own chance."""
    site.ledger.violations.clear()
    for number, node in site.nodes.items():
        network.heal(number, network.PEERS, network.CLIENTS)
        (node.home / "wal" / "filler").unlink(missing_ok=True)
        if node.patroni.poll() is not None:
            node.start_patroni()
    for one in site.instances:
        if one.child.poll() is not None:
            one.start()
    try:
        site.whole_again()
    except Broken as reason:
        say(str(reason))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="NAME,…", help=f"some of: {', '.join(EVENTS)}")
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--keep", default="", metavar="DIR", help="copy the logs there")
    chosen = parser.parse_args()
    chosen.only = [name for name in chosen.only.split(",") if name] or list(EVENTS)
    unknown = [name for name in chosen.only if name not in EVENTS]
    if unknown:
        parser.error(f"no such event: {', '.join(unknown)}")
    return chosen


def conditions(binary: Path, writers: int) -> str:
    version = run(programs() / "postgres", "--version").split()[2]
    patroni = run("/usr/bin/python3", "/usr/bin/patroni", "--version").split()[-1]
    proxy = run("haproxy", "-v").split()[2]
    build = "release" if "release" in binary.parts else "debug"
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC} · {run('git', 'describe', '--always', '--dirty').strip()} · {build} build · PostgreSQL {version} · "
        f"Patroni {patroni} · HAProxy {proxy} · {os.cpu_count()} cores · {writers} writers"
    )


def keep_logs(home: Path, where: str) -> None:
    for log in [*home.glob("*.log"), *home.glob("node*/*.log"), *home.glob("node*/data/log/*")]:
        target = Path(where) / log.relative_to(home)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(log.read_bytes())


def main() -> int:
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.geteuid() != 0:
        sys.exit("error: network namespaces and small disks take root")
    binary = Path(os.environ.get("SERVICE") or BUILT / "release" / "ict-index").resolve()
    if not binary.exists():
        sys.exit(f"error: {binary} is missing: cargo build")
    began, rows = time.monotonic(), []
    with Place() as home, Site(binary, chosen.writers) as site:
        try:
            site.open(home)
            rows = [attempt(name, EVENTS[name], site) for name in chosen.only]
        finally:
            # While the nodes' disks are there.
            if chosen.keep:
                keep_logs(home, chosen.keep)
    print(f"{conditions(binary, chosen.writers)} · {time.monotonic() - began:.0f} s\n")
    print("| event | outcome | figures |\n|---|---|---|")
    for name, outcome, detail in rows:
        print(f"| {name} | {outcome} | {detail.replace('|', '/')} |")
    return 1 if any(outcome != "kept" for _, outcome, _ in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
