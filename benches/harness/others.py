"""Logins, the footprint, exports."""

import json
import statistics
import threading
import time
from functools import partial

from . import load
from .context import Bench
from .limits import Answer
from .load import alternate
from .reads import ONE
from .report import Row
from .service import Service, bearer, demo_password
from .settings import CORES

LOGIN = "/api/v1/auth/login"
EXPORT, EXPORT_TYPE = "/api/v1/dossier-counts/export", "text/csv"


def _credentials() -> str:
    return json.dumps({"username": "coordinator", "password": demo_password()})


def _ms(service: Service, method: str, path: str, body: str | None, times: int = 10) -> float:
    headers = {"Content-Type": "application/json"} if body else {}
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        status, _, answer = service.request(method, path, body, headers)
        taken.append(time.perf_counter() - started)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
    return statistics.median(taken) * 1000


def login(bench: Bench) -> list[Row]:
    """All cores hashing is the limit: a login alone, less what any request takes, is the time of a hash."""
    service, body = bench.service, _credentials()
    hash_ms = _ms(service, "POST", LOGIN, body) - _ms(service, "GET", "/healthz", None)
    found = alternate(bench.settings, {"ours": partial(load.post, service.base, LOGIN, [body], connections=8)})
    limit = CORES * 1000 / hash_ms
    ours = found["ours"]
    note = f"{CORES} cores, {hash_ms:.1f} ms a hash"
    return [Row("login", "req/s", ours.rate, "cores ÷ hash time", limit, (">=", 0.9), ours.p50, ours.p99, ours.errors, service.rss(), note)]


def flood(bench: Bench) -> list[Row]:
    """Reads while others log in from 64 connections, against reads alone. Logins turned away (503) are as it should be."""
    service, body = bench.service, _credentials()
    headers = bearer(service.client_token("portal"))
    Answer.of(service, ONE, headers)
    read = partial(load.get, service.base, [ONE], headers)

    def flooded(seconds: int):
        # The flood begins before the reads do, and ends after them.
        other = threading.Thread(target=load.post, args=(service.base, LOGIN, [body], seconds + 2))
        other.start()
        time.sleep(1)
        try:
            return read(seconds)
        finally:
            other.join()

    found = alternate(bench.settings, {"alone": read, "flooded": flooded})
    return [bench.row("cached statistic under a flood of logins", found["flooded"], "without the flood", found["alone"], (">=", 0.8))]


def footprint(bench: Bench) -> list[Row]:
    """A start with everything migrated, and the service before anyone asks."""
    ready, idle = [], []
    for _ in range(5):
        with Service(bench.binary, bench.database, "start") as service:
            ready.append(service.ready_after * 1000)
            time.sleep(0.5)
            idle.append(service.rss())
    size = bench.binary.stat().st_size / 2**20
    return [
        Row("idle RSS", "MiB", statistics.median(idle), goal=("<=", 40.0)),
        Row("ready after start", "ms", statistics.median(ready), goal=("<=", 300.0)),
        Row("binary", "MiB", size, goal=("<=", 40.0), note=str(bench.binary.name)),
    ]


def export(bench: Bench) -> list[Row]:
    """All counts as CSV against COPY TO of the same rows."""
    service = bench.service
    service.must_offer(EXPORT, "get")
    headers = bearer(service.client_token("vnpt"), Accept=EXPORT_TYPE)
    select = "select c.*, a.code, s.code from dossier_counts c join agencies a on a.id = c.agency_id join services s on s.id = c.service_id"
    ours, limit = [], []
    service.reset_peak()
    for _ in bench.settings.each_round():
        started = time.perf_counter()
        Answer.of(service, EXPORT, headers)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        bench.database.copy_out(select)
        limit.append(time.perf_counter() - started)
    rates = [bench.plan.rows / statistics.median(times) for times in (ours, limit)]
    return [Row("CSV export", "rows/s", rates[0], "COPY TO", rates[1], (">=", 0.9), rss=service.peak())]
