#!/usr/bin/env python3
"""200 logins at once: what they do to the service's memory, and to those who read meanwhile.

    login_flood.py URL --pid PID [--logins 200]

Each login hashes with 19 MiB, and comes from an address of its own, as the throttle lets ten of one account from one address through. Fails when the service takes more than
300 MiB (RSS, sampled every 5 ms), when a login is answered by anything but 200, and 429 or 503 with `Retry-After`, when a read fails, or when one of a hundred reads takes longer than 250 ms.
"""

import argparse
import http.client
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from urllib.parse import urlsplit

MOST_MIB, MOST_P99_MS = 300, 250
RIGHT = os.environ.get("DEMO_PASSWORD", "ruong bac thang 332")
ACCOUNTS = ("monitor", "coordinator", "admin", "officer.so-yt")


def ask(url: str, body: dict | None = None, token: str = "") -> tuple[int, dict, bytes]:
    headers = {"Content-Type": "application/json"} if body else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read()


def resident(pid: int) -> float:
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def reads(url: str, token: str, until: threading.Event, at_least: int) -> list[tuple[float, int]]:
    """(milliseconds, status) of reads one after the other."""
    taken = []
    while not until.is_set() or len(taken) < at_least:
        began = time.perf_counter()
        status, _, _ = ask(f"{url}/api/v1/agencies?limit=10", token=token)
        taken.append(((time.perf_counter() - began) * 1000, status))
    return taken


def part(times: list[tuple[float, int]], share: float) -> float:
    ordered = sorted(ms for ms, _ in times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def flood(url: str, logins: int) -> list[tuple[int, dict]]:
    gate, answers = threading.Barrier(logins), []

    def one(number: int) -> None:
        account = ACCOUNTS[number % len(ACCOUNTS)]
        at = urlsplit(url)
        source = (f"127.77.{number // 250}.{1 + number % 250}", 0)
        line = http.client.HTTPConnection(at.hostname, at.port, timeout=60, source_address=source)
        body = json.dumps({"username": account, "password": RIGHT})
        gate.wait()
        line.request("POST", "/api/v1/auth/login", body, {"Content-Type": "application/json"})
        answer = line.getresponse()
        answer.read()
        answers.append((answer.status, dict(answer.getheaders())))
        line.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(logins)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--logins", type=int, default=200)
    asked = parser.parse_args()
    token = json.loads(ask(f"{asked.url}/api/v1/auth/login", {"username": "coordinator", "password": RIGHT})[2])["access_token"]
    done = threading.Event()
    done.set()
    before, idle = reads(asked.url, token, done, 200), resident(asked.pid)
    done, during, peak = threading.Event(), [], [idle]

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], resident(asked.pid))
            time.sleep(0.005)

    helpers = [threading.Thread(target=watch), threading.Thread(target=lambda: during.extend(reads(asked.url, token, done, 20)))]
    for helper in helpers:
        helper.start()
    answers = flood(asked.url, asked.logins)
    done.set()
    for helper in helpers:
        helper.join()
    counted = Counter(status for status, _ in answers)
    print(f"{asked.logins} logins at once: {dict(sorted(counted.items()))}; RSS {idle:.0f} MiB before, {peak[0]:.0f} MiB at the most")
    print(f"reads: {len(before)} before, p50 {part(before, 0.5):.1f} ms, p99 {part(before, 0.99):.1f} ms; {len(during)} meanwhile, p50 {part(during, 0.5):.1f} ms, p99 {part(during, 0.99):.1f} ms")
    faults = []
    if peak[0] > MOST_MIB:
        faults.append(f"more than {MOST_MIB} MiB")
    if not counted[200] or set(counted) - {200, 429, 503}:
        faults.append("a login was answered by something else than 200, 429 or 503")
    if any(status in (429, 503) and "retry-after" not in {n.lower() for n in headers} for status, headers in answers):
        faults.append("a refusal without Retry-After")
    if any(status != 200 for _, status in before + during):
        faults.append("a read failed")
    if part(during, 0.99) > MOST_P99_MS:
        faults.append(f"reads took longer than {MOST_P99_MS} ms")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
