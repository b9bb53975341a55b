#!/usr/bin/env python3
"""The largest requests that a client can send: what they do to the service's memory, and to probes of /readyz meanwhile.

    edge_times.py URL --pid PID [--seconds 4] [--only description,parameters]

Each load runs for some seconds while one connection probes /readyz every 5 ms. Fails when one of a hundred of those takes longer than 50 ms, when one is not answered
200, when a load does not end in good order, or when the service takes more than 512 MiB (RSS).
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import queue
import sys
import time
import urllib.parse
import urllib.request

MOST_P99_MS, MOST_MIB = 50, 512
# Seconds for one answer, and for a load to end after its time.
PATIENCE = 60
PASSWORD = os.environ.get("DEMO_PASSWORD", "ruong bac thang 332")
LARGE = 62 * 1024 * 1024


def request(method: str, target: str, headers: dict | None = None, body: bytes = b"") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: a"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Target:
    def __init__(self, url: str, pid: int):
        place = urllib.parse.urlsplit(url)
        self.url, self.host, self.port, self.pid = url, place.hostname, place.port, pid

    def token(self, username: str) -> str:
        body = json.dumps({"username": username, "password": PASSWORD}).encode()
        login = urllib.request.Request(f"{self.url}/api/v1/auth/login", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(login, timeout=60) as answer:
            return json.load(answer)["access_token"]

    def resident(self) -> float:
        with open(f"/proc/{self.pid}/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))

    async def connect(self):
        return await asyncio.open_connection(self.host, self.port, limit=1 << 22)


async def answer(reader) -> int:
    """Status of the next answer, its body read; an error when the connection ends before."""
    return await asyncio.wait_for(whole_answer(reader), PATIENCE)


async def whole_answer(reader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    while length > 0:
        length -= len(await reader.readexactly(min(length, 1 << 20)))
    return int(head.split(b" ")[1])


async def again_and_again(target: Target, what: bytes, end: float) -> int:
    count = 0
    while time.monotonic() < end:
        try:
            reader, writer = await target.connect()
            while time.monotonic() < end:
                writer.write(what)
                await writer.drain()
                await answer(reader)
                count += 1
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.01)
    return count


async def held(target: Target, what: bytes, end: float) -> int:
    """Sends all but the last byte and waits."""
    try:
        reader, writer = await target.connect()
        for at in range(0, len(what) - 1, 1 << 18):
            writer.write(what[at : min(at + (1 << 18), len(what) - 1)])
            await writer.drain()
        await asyncio.sleep(max(0.0, end - time.monotonic()))
        writer.close()
        return 1
    except OSError:
        return 0


def load_all(target: Target, connections: int, load, what: bytes, end: float, counts: multiprocessing.Queue) -> None:
    async def together() -> int:
        return sum(await asyncio.gather(*(load(target, what, end) for _ in range(connections))))

    counts.put(asyncio.run(together()))


async def probe(target: Target, end: float) -> tuple[list[float], float]:
    """Milliseconds of each /readyz, and the highest memory measured."""
    reader, writer = await target.connect()
    times, most = [], 0.0
    while time.monotonic() < end or not times:
        began = time.perf_counter()
        try:
            writer.write(request("GET", "/readyz"))
            await writer.drain()
            status = await answer(reader)
        except (OSError, asyncio.IncompleteReadError) as error:
            sys.exit(f"error: /readyz was not answered: {type(error).__name__} {error}")
        times.append((time.perf_counter() - began) * 1000)
        if status != 200:
            sys.exit(f"error: /readyz answered {status}")
        most = max(most, target.resident())
        await asyncio.sleep(0.005)
    writer.close()
    return times, most


def result_of(loader: multiprocessing.Process, counts: multiprocessing.Queue) -> int:
    """How much of a load was answered; an error when it ended without saying so, or does not end."""
    give_up = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < give_up:
        alive = loader.is_alive()
        try:
            return counts.get(timeout=1)
        except queue.Empty:
            if not alive:
                break
    sys.exit("error: the load did not end in good order")


def loads(target: Target) -> dict:
    token = {"Authorization": f"Bearer {target.token('coordinator')}"}
    bands = [{"code": "B", "name": "b", "from": 0}] * 45_000
    leaf = {"code": "A", "name": "A", "direction": 1, "normalise": {"method": "min_max"}}
    root = {"code": "R", "name": "R", "aggregate": "arithmetic", "children": [leaf]}
    framework = {"code": "F", "name": "F", "unit_type": "x", "status": "assumed", "missing": "zero", "bands": bands, "root": root}
    framework["rank"] = {"decimals": 4, "ties": "competition"}
    write = {**token, "Content-Type": "application/json"}
    large = b'{"control":{"rows":1,"received":1},"rows":[' + b'{"agency":"SO-YT"},' * (LARGE // 19) + b"{}]}"
    return {
        # First, so that it meets a service that has just started.
        "description": (400, again_and_again, request("GET", "/openapi.json")),
        "compressed": (400, again_and_again, request("GET", "/openapi.json", {"Accept-Encoding": "br, gzip"})),
        "parameters": (4, again_and_again, request("GET", "/healthz?" + "&".join(["a"] * 32_000))),
        "bands": (4, again_and_again, request("POST", "/api/v1/frameworks", write, json.dumps(framework).encode())),
        "parsed": (4, again_and_again, request("PUT", "/api/v1/dossier-batches/vnpt/2018-02", write, large)),
        "held": (40, held, request("PUT", "/api/v1/dossier-batches/vnpt/2018-02", write, large)),
        "metrics": (16, again_and_again, request("GET", "/metrics")),
    }


async def run(target: Target, seconds: float, only: list[str]) -> int:
    failed = 0
    print(f"{'load':<12} {'connections':>11} {'answered':>9} {'/readyz p50':>12} {'p99':>8} {'most':>8} {'RSS MiB':>8}")
    for name, (connections, load, what) in loads(target).items():
        if only and name not in only:
            continue
        end = time.monotonic() + seconds
        # In a process of its own: the probe must not wait for those who load.
        counts: multiprocessing.Queue = multiprocessing.Queue()
        # It ends with this one, whatever it is doing.
        loader = multiprocessing.Process(target=load_all, args=(target, connections, load, what, end, counts), daemon=True)
        loader.start()
        times, most = await probe(target, end)
        answered = result_of(loader, counts)
        loader.join()
        times.sort()
        at = lambda share: times[min(len(times) - 1, int(len(times) * share))]
        print(f"{name:<12} {connections:>11} {answered:>9} {at(0.5):>9.1f} ms {at(0.99):>5.1f} ms {times[-1]:>5.1f} ms {most:>8.0f}")
        failed += at(0.99) > MOST_P99_MS or most > MOST_MIB
    return failed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    only = [name for name in given.only.split(",") if name]
    sys.exit(1 if asyncio.run(run(Target(given.url, given.pid), given.seconds, only)) else 0)


if __name__ == "__main__":
    main()
