"""More than can be carried: open-loop load, connections that never get to the point, and requests that two servers could read two ways."""

import asyncio
import socket
import statistics
import time
from dataclasses import dataclass, field

from .common import promise
from .service import Service
from .stage import Stage

FACTORS = (1, 2, 5)
# Of what is accepted. A debug build spends on refusing what a release build spends on answering.
FAST = {"release": 1.0, "debug": 5.0}
SLOW = 1000
# The service closes a connection that says nothing for 10 s; clients leave those alone before.
IDLE = 8.0


@dataclass
class Load:
    """What came back."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    unfinished: int = 0

    def quantile(self, q: float) -> float:
        ordered = sorted(self.accepted)
        return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else float("inf")


def _request(path: str, headers: dict[str, str]) -> bytes:
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"GET {path} HTTP/1.1\r\nHost: chaos\r\n{named}\r\n".encode()


class Connections:
    """Kept alive and taken in turns; a new one when all are in use, as new clients would come."""

    def __init__(self, port: int):
        self.port, self.free = port, []

    async def ask(self, text: bytes) -> tuple[int, bool]:
        """(status, whether it says when to come again)"""
        reader, writer = self._fresh() or await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(text)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0] if b"content-length:" in head else b"0"
            await reader.readexactly(int(length))
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in head:
            writer.close()
        else:
            self.free.append((reader, writer, time.monotonic()))
        return int(head.split(b" ", 2)[1]), b"retry-after:" in head

    def _fresh(self) -> tuple | None:
        """The one used last, unless even that was too long ago."""
        if not self.free:
            return None
        reader, writer, used = self.free.pop()
        if time.monotonic() - used < IDLE:
            return reader, writer
        writer.close()
        self.close()
        self.free.clear()
        return None

    def close(self) -> None:
        for _, writer, _ in self.free:
            writer.close()


async def _closed_loop(port: int, text: bytes, seconds: float, clients: int) -> float:
    """Requests per second that are carried when each client waits for its answer."""
    done, end = 0, time.monotonic() + seconds

    async def client() -> None:
        nonlocal done
        connections = Connections(port)
        while time.monotonic() < end:
            status, _ = await connections.ask(text)
            done += status == 200
        connections.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return done / seconds


async def _open_loop(port: int, text: bytes, rate: float, seconds: float) -> Load:
    """Requests at their times, whatever became of those before. Latency counts from when a request was due."""
    load, connections, tasks = Load(), Connections(port), set()

    async def one(due: float) -> None:
        try:
            status, says_when = await connections.ask(text)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            load.others.append(f"{type(error).__name__}: {error}")
            return
        taken = time.monotonic() - due
        if status == 200:
            load.accepted.append(taken)
        elif status in (429, 503) and says_when:
            load.refused.append(taken)
        else:
            load.others.append(str(status))

    began, number = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        while number < rate * now:
            task = asyncio.create_task(one(began + number / rate))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.002)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=10)
        load.unfinished = len(late)
        for task in late:
            task.cancel()
    connections.close()
    return load


def overload(stage: Stage) -> str:
    """1, 2 and 5 times what is carried: what is accepted stays fast, the rest is told to come again, memory stays flat."""
    service, headers = stage.service, stage.service.bearer("coordinator")
    text = _request("/api/v1/audit-events?limit=200&sort=-at", headers)
    seconds = stage.times(4, 20)
    carried = asyncio.run(_closed_loop(service.port, text, seconds / 2, 16))
    promise(carried > 5, f"only {carried:.0f} requests per second are carried")
    told, before = [f"carried {carried:.0f}/s"], service.rss()
    fast = FAST["release" if "release" in service.binary.parts else "debug"]
    for factor in FACTORS:
        load = asyncio.run(_open_loop(service.port, text, carried * factor, seconds))
        p99, rss = load.quantile(0.99), service.rss()
        told.append(
            f"{factor} ×: {len(load.accepted) / seconds:.0f}/s accepted, p50 {load.quantile(0.5) * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, "
            f"{len(load.refused) / seconds:.0f}/s told to come again, {rss:.0f} MiB"
        )
        promise(not load.others and not load.unfinished, f"{factor} ×: {load.unfinished} unanswered, others {load.others[:3]}")
        promise(p99 < fast, f"{factor} ×: p99 of what was accepted is {p99:.2f} s ({'; '.join(told)})")
        promise(len(load.accepted) / seconds > 0.4 * carried, f"{factor} ×: only {len(load.accepted) / seconds:.0f}/s of {carried:.0f}/s are still carried")
        promise(rss < before + 96, f"{factor} ×: memory grew from {before:.0f} to {rss:.0f} MiB")
    promise(bool(load.refused), "nothing was refused at 5 times what is carried")
    promise(service.status("/readyz") == 200, "not ready after the load")
    return "; ".join(told)


# --- connections that do not get to the point ---


async def _slow(port: int, kind: int, bearer: str) -> float:
    """Seconds until the service had enough of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    login = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
    batch = (
        f"PUT /api/v1/dossier-batches/vnpt/2016-04?rows=1&received=1 HTTP/1.1\r\nHost: chaos\r\nAuthorization: {bearer}\r\n"
        "Content-Type: text/csv\r\nContent-Length: 5000\r\n\r\nagency"
    ).encode()
    first = [b"GET /heal", b"", login, batch, b"GET /healthz HTTP/1.1\r\nHost: chaos\r\n\r\nGET /he"][kind]
    try:
        writer.write(first)
        while True:
            # A byte now and then, so that it does not stand still.
            drip = kind in (0, 2, 4) and time.monotonic() - began < 30
            try:
                if not await asyncio.wait_for(reader.read(4096), 2.0):
                    return time.monotonic() - began
            except TimeoutError:
                if time.monotonic() - began > 40:
                    return float("inf")
                if drip:
                    writer.write(b"a")
    except OSError:
        return time.monotonic() - began
    finally:
        writer.close()


async def _healthy(port: int, text: bytes, over: asyncio.Event) -> list[float]:
    """A client that asks twenty times a second."""
    times, connections = [], Connections(port)
    while not over.is_set():
        began = time.monotonic()
        status, _ = await connections.ask(text)
        promise(status == 200, f"a healthy client was answered {status}")
        times.append(time.monotonic() - began)
        await asyncio.sleep(0.05)
    return times


async def _siege(service: Service, text: bytes, bearer: str) -> tuple[list[float], list[float]]:
    over = asyncio.Event()
    healthy = asyncio.create_task(_healthy(service.port, text, over))
    await asyncio.sleep(0.5)
    ended = await asyncio.gather(*(_slow(service.port, n % 5, bearer) for n in range(SLOW)))
    over.set()
    return ended, await healthy


def slow_connections(stage: Stage) -> str:
    """1,000 connections: half a head, nothing, half a body of a login, half a batch, half a second head."""
    service = stage.service
    text = _request("/api/v1/agencies?limit=5", service.bearer("coordinator"))
    alone = asyncio.run(_closed_loop(service.port, text, 1, 1))
    before = service.rss()
    ended, times = asyncio.run(_siege(service, text, service.bearer("client:vnpt")["Authorization"]))
    kinds = ("half a head", "nothing", "half a login", "half a batch", "half a second head")
    longest = {kind: max(ended[n :: len(kinds)]) for n, kind in enumerate(kinds)}
    # A second of the machine's own, and the two of whoever asks.
    promise(max(longest.values()) <= 17.5, f"connections stayed: {longest}")
    worst = sorted(times)[int(len(times) * 0.99)]
    promise(worst < 1.0, f"a healthy client waited {worst:.2f} s")
    shown = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in longest.items())
    return (
        f"closed after at most: {shown}; a healthy client meanwhile: p50 {statistics.median(times) * 1000:.0f} ms, p99 {worst * 1000:.0f} ms "
        f"({1000 / alone:.0f} ms alone); memory {before:.0f} → {service.rss():.0f} MiB"
    )


# --- smuggling ---

HIDDEN = b"GET /metrics HTTP/1.1\r\nHost: chaos\r\n\r\n"


def _attacks() -> dict[str, bytes]:
    """Requests whose end two servers could see in two places; each hides another one behind itself."""
    login = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\n"
    body = b"0\r\n\r\n" + HIDDEN
    length = str(len(body)).encode()
    return {
        "length and chunks": login + b"Content-Length: " + length + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
        "chunks and length": login + b"Transfer-Encoding: chunked\r\nContent-Length: " + length + b"\r\n\r\n" + body,
        "two lengths": login + b"Content-Length: 5\r\nContent-Length: " + length + b"\r\n\r\n" + body,
        "a list of lengths": login + b"Content-Length: 5, " + length + b"\r\n\r\n" + body,
        "a signed length": login + b"Content-Length: +5\r\n\r\n" + body,
        "odd chunks": login + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n" + body,
        "chunks twice": login + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + body,
        "a folded header": login + b"X-A: b\r\n Content-Length: 5\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
        "a space before the colon": login + b"Content-Length : 5\r\n\r\n" + body,
        "a bare line feed": b"GET /healthz HTTP/1.1\nHost: chaos\nContent-Length: 5\n\n" + HIDDEN,
        "a bare carriage return": b"GET /healthz HTTP/1.1\r\nHost: chaos\rContent-Length: 5\r\n\r\n" + HIDDEN,
        "NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: chaos\r\nX-A: a\0b\r\n\r\n",
        "a chunk of endless length": login + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + HIDDEN,
        "a huge head": b"GET /healthz HTTP/1.1\r\nHost: chaos\r\nX-A: " + b"a" * 200_000 + b"\r\n\r\n",
    }


def smuggling(stage: Stage) -> str:
    """Requests that could be read two ways: refused, or read in one way, as their head says; never a hidden request answered."""
    refused = read_one_way = 0
    for name, text in _attacks().items():
        statuses, shown = _exchange(stage.service.port, text)
        promise(all(status < 500 or status == 501 for status in statuses), f"{name}: {statuses}")
        promise(b"ict_index_http_requests_total" not in shown, f"{name}: the hidden request was answered")
        refused += statuses[:1] == [400] or not statuses
        read_one_way += bool(statuses) and statuses[0] != 400
        promise(stage.service.status("/healthz") == 200, f"{name}: no answer afterwards")
    return f"{refused} refused, {read_one_way} read in one way, no hidden request answered"


def _exchange(port: int, text: bytes) -> tuple[list[int], bytes]:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(1.5)
        shown = b""
        try:
            connection.sendall(text)
            while data := connection.recv(65536):
                shown += data
        except OSError:
            pass
    statuses = [int(part[:3]) for part in shown.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
    return statuses, shown
