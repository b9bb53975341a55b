#!/usr/bin/env python3
"""`make bench-compare BASE=…`: two binaries of the service in turns on this machine. A line of the newer one that is slower than FLOOR times the
older one fails. Each binary has a database of its own, because their migrations may differ."""

import argparse
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from harness import data, load, others, reads, writes
from harness.data import Batch, Plan
from harness.database import Database, Server
from harness.service import KEYS, Service, bearer
from harness.settings import BUILT, WORK, run, say

ROWS = 600_000
# A rate per second of one contender, measured for some seconds; larger is better.
Measure = Callable[[int], float]


class Contender:
    """One binary: an instance as shipped, one that keeps no answers, and what each line requests of them."""

    def __init__(self, stack: ExitStack, binary: Path, database: Database, plan: Plan, name: str):
        self.database, self.plan = database, plan
        self.service = stack.enter_context(Service(binary, database, name))
        self.uncached = stack.enter_context(Service(binary, database, f"{name}-uncached", ANSWER_CACHE_MIB="0"))
        self.batch: Batch = data.batch(database, plan)

    def lines(self) -> dict[str, Measure]:
        portal, vnpt = bearer(self.service.client_token("portal")), bearer(self.service.client_token("vnpt"))
        tag = self.service.request("GET", reads.ONE, headers=portal)[1]["etag"]
        month = f"{reads.RATES}?period={data.LAST_YEAR}-05&group_by=agency"
        # As many users as keep each of them far from the most sessions that one may have.
        users = self.database.query("select username from users where username like 'officer.%' order by username limit 40").split("\n")
        credentials = [json.dumps({"username": user, "password": others.demo_password()}) for user in users]
        login = partial(load.post, self.service.base, others.LOGIN, credentials, connections=8)
        return {
            "cached statistic, 200": self._get(self.service, [reads.ONE], portal),
            "cached statistic, 304": self._get(self.service, [reads.ONE], portal | {"If-None-Match": tag}),
            "province month, brotli": self._get(self.service, [month], portal | {"Accept-Encoding": "br"}),
            "uncached statistic": self._get(self.uncached, reads.plain_keys(self.plan.months), portal),
            "list of 50 by cursor": self._get(self.service, reads.walk(self.service, vnpt, 400)[::5], vnpt),
            "submission write": self._submissions,
            "batch, NDJSON": partial(self._deliver, self.batch.ndjson, writes.NDJSON),
            "batch, CSV": partial(self._deliver, self.batch.csv, writes.CSV),
            "export": self._export,
            "login": lambda seconds: _rate(login(seconds)),
        }

    @staticmethod
    def _get(service: Service, paths: list[str], headers: dict[str, str]) -> Measure:
        return lambda seconds: _rate(load.get(service.base, paths, headers, seconds))

    def _submissions(self, seconds: int) -> float:
        codes = self.database.query("select code from bench.indicators order by position").split("\n")
        drafts = self.database.query("select id || ' ' || version from submissions where id::text like '00000000-0000-7000-8000-%' order by id")
        return _rate(load.put_values(self.service.base, self.service.user_token("coordinator"), drafts.split("\n"), codes, seconds))

    def _deliver(self, path: Path, media_type: str, _seconds: int) -> float:
        done = writes.Deliveries(self.database, self.batch)
        done.service("one", self.service, self.service.client_token("vnpt"), path, media_type)
        return 1000 / done.ms("one")

    def _export(self, _seconds: int) -> float:
        headers = bearer(self.service.client_token("vnpt"), Accept=others.EXPORT_TYPE)
        started = time.perf_counter()
        status, _, _ = self.service.request("GET", others.EXPORT, headers=headers)
        if status != 200:
            raise RuntimeError(f"GET {others.EXPORT}: {status}")
        return self.plan.rows / (time.perf_counter() - started)


def _rate(figures: load.Figures) -> float:
    if figures.errors:
        raise RuntimeError(f"{figures.errors} answers are no successes")
    return figures.rate


def in_turns(base: Measure, head: Measure, rounds: int, seconds: int) -> tuple[list[float], list[float]]:
    """Rates of both, after one run to warm up; who goes first changes with the round, so that a drift of the machine favours neither."""
    base(1), head(1)
    of_base, of_head = [], []
    for number in range(rounds):
        turns = [(base, of_base), (head, of_head)]
        for measure, found in turns if number % 2 == 0 else reversed(turns):
            found.append(measure(seconds))
    return of_base, of_head


def compare(arguments: argparse.Namespace, server: Server) -> int:
    prepared = [(name, binary, *data.prepare(server, binary, ROWS, f"_{name}")) for name, binary in (("base", arguments.base), ("head", arguments.head))]
    slower = []
    print("| line | base, per second | head, per second | head ÷ base | spread of the rounds |\n|---|---|---|---|---|")
    with ExitStack() as stack:
        base, head = (Contender(stack, binary, database, plan, name).lines() for name, binary, database, plan in prepared)
        for line in base:
            if arguments.only and not any(word in line for word in arguments.only.split(",")):
                continue
            of_base, of_head = in_turns(base[line], head[line], arguments.rounds, arguments.seconds)
            ratio = statistics.median(of_head) / statistics.median(of_base)
            each = [two / one for one, two in zip(of_base, of_head, strict=True)]
            print(f"| {line} | {statistics.median(of_base):,.1f} | {statistics.median(of_head):,.1f} | {ratio:.3f} | {min(each):.2f}-{max(each):.2f} |", flush=True)
            if ratio < arguments.floor:
                slower.append(line)
    for line in slower:
        say(f"SLOWER than {arguments.floor} × base: {line}")
    return 1 if slower else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="the older binary")
    parser.add_argument("--head", type=Path, default=BUILT / "release" / "ict-index", help="the newer one (built by cargo build --release)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--floor", type=float, default=0.85)
    parser.add_argument("--only", default="", metavar="WORD,…", help="lines whose name holds one of the words")
    arguments = parser.parse_args()
    arguments.base, arguments.head = arguments.base.resolve(), arguments.head.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    WORK.mkdir(parents=True, exist_ok=True)
    if not KEYS.exists():
        run(arguments.head, "keys", "rotate", env=os.environ | {"TOKEN_KEY_FILE": str(KEYS)})
    server = Server()
    server.start()
    try:
        return compare(arguments, server)
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
