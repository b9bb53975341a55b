#!/usr/bin/env python3
"""Whether a refused login tells what the account is: by its answer, or by the time that it takes.

    login_times.py URL [--samples 2000]

Asks a running service with demo data (`make login-times` starts one) as four kinds of account, in turns in random order: unknown, a wrong password, disabled with
the right password, and the same again after the throttle has closed for them. For each pair it prints the AUC: the probability that one kind takes longer than the
other. 0.5 tells nothing; outside 0.45-0.55 this ends with 1. So does any difference of the answers. Every turn comes from an address of its own in 127.0.0.0/8, so
that the throttle (10 failures of an account from one address, 600 of an address) does not close before it is to; the counters of accounts over all addresses (100 in 24
hours) are deleted in the database that DATABASE_URL names.
"""

import argparse
import http.client
import itertools
import json
import os
import random
import subprocess
import sys
import time
from urllib.parse import urlsplit

LOWEST, HIGHEST = 0.45, 0.55
RIGHT = os.environ.get("DEMO_PASSWORD", "ruong bac thang 332")
WRONG = "khong phai mat khau 1"
# (account, password): the locked ones are others, so that locking them leaves the first three open.
OPEN = {"unknown": ("nobody.here", WRONG), "wrong password": ("monitor", WRONG), "disabled": ("off.one", RIGHT)}
LOCKED = {"unknown, locked": ("nobody.else", WRONG), "known, locked": ("coordinator", RIGHT), "disabled, locked": ("off.two", RIGHT)}
MOST_FAILURES = 10
TURNS_WITHIN_CEILING = 90


def address(turn: int) -> str:
    return f"127.{1 + turn // 62500}.{turn // 250 % 250}.{1 + turn % 250}"


class Caller:
    """One connection from an address of its own."""

    def __init__(self, url: str, source: str) -> None:
        at = urlsplit(url)
        self.line = http.client.HTTPConnection(at.hostname, at.port, timeout=60, source_address=(source, 0))
        self.warm()

    def warm(self) -> None:
        """The first request of a connection pays for the connection."""
        self.line.close()
        self.line.request("GET", "/healthz")
        self.line.getresponse().read()

    def login(self, account: str, password: str) -> tuple[float, tuple]:
        """(seconds, what a caller sees)"""
        try:
            return self._login(account, password)
        except (ConnectionError, http.client.RemoteDisconnected):
            # This machine stood still for longer than the service waits for a next request.
            self.warm()
            return self._login(account, password)

    def _login(self, account: str, password: str) -> tuple[float, tuple]:
        body = json.dumps({"username": account, "password": password})
        began = time.perf_counter()
        self.line.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
        answer = self.line.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - began
        # What differs between any two answers, and what only counts down.
        passing = ("x-request-id", "date", "retry-after")
        headers = tuple(sorted((n.lower(), v) for n, v in answer.getheaders() if n.lower() not in passing))
        shown = {k: v for k, v in json.loads(content).items() if k != "request_id"}
        return seconds, (answer.status, headers, json.dumps(shown, sort_keys=True))

    def close(self) -> None:
        self.line.close()


def reopen() -> None:
    statement = "delete from login_attempts where subject like 'account:%'"
    subprocess.run(["psql", "-qX", os.environ["DATABASE_URL"], "-c", statement], check=True)


def auc(some: list[float], others: list[float]) -> float:
    """Probability that one of `some` is greater than one of `others`; ties count half."""
    ranked = sorted([(t, True) for t in some] + [(t, False) for t in others])
    rank_sum, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        middle = (at + 1 + end) / 2
        rank_sum += middle * sum(1 for _, mine in ranked[at:end] if mine)
        at = end
    n, m = len(some), len(others)
    return (rank_sum - n * (n + 1) / 2) / (n * m)


def sample(url: str, kinds: dict, turns: int, source) -> tuple[dict[str, list[float]], dict[str, set]]:
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    answers: dict[str, set] = {kind: set() for kind in kinds}
    caller, held = None, ""
    for turn in range(turns):
        if source(turn) != held:
            if caller:
                caller.close()
            held = source(turn)
            caller = Caller(url, held)
        if turn % TURNS_WITHIN_CEILING == 0:
            reopen()
        for kind in random.sample(list(kinds), len(kinds)):
            seconds, seen = caller.login(*kinds[kind])
            times[kind].append(seconds)
            answers[kind].add(seen)
    caller.close()
    return times, answers


def lock_out(url: str, source: str) -> None:
    caller = Caller(url, source)
    for account, _ in LOCKED.values():
        for _ in range(MOST_FAILURES):
            caller.login(account, WRONG)
    caller.close()


def judge(times: dict[str, list[float]], answers: dict[str, set], status: int) -> list[str]:
    faults = []
    seen = set().union(*answers.values())
    if len(seen) != 1 or next(iter(seen))[0] != status:
        faults.append(f"the answers differ, or are not {status}: {sorted((a[0], a[2]) for a in seen)}")
    for one, other in itertools.combinations(times, 2):
        value = auc(times[one], times[other])
        told = LOWEST <= value <= HIGHEST
        medians = [sorted(times[kind])[len(times[kind]) // 2] * 1000 for kind in (one, other)]
        print(f"| {one} | {other} | {len(times[one])} + {len(times[other])} | {medians[0]:.2f} | {medians[1]:.2f} | {value:.3f} | {'yes' if told else 'NO'} |", flush=True)
        if not told:
            faults.append(f"{one} against {other}: AUC {value:.3f}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--samples", type=int, default=2000, help="of each kind (2000)")
    asked = parser.parse_args()
    random.seed(332)
    # flush: whoever waits a quarter of an hour wants to see what is done.
    print("| one | other | samples | median ms | median ms | AUC | within 0.45-0.55 |\n|---|---|---|---|---|---|---|", flush=True)
    faults = judge(*sample(asked.url, OPEN, asked.samples, address), 401)
    lock_out(asked.url, "127.200.0.1")
    faults += judge(*sample(asked.url, LOCKED, asked.samples, lambda _: "127.200.0.1"), 429)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
