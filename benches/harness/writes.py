"""Writing: a month of the province, fresh and again, a long stream, an officer's figures, and what readers see afterwards."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from . import load
from .context import Bench
from .data import AGENCIES, BATCH_MONTH, Batch, batch, prepare, reset
from .database import Database
from .limits import copy_and_upsert
from .load import alternate
from .reads import RATES
from .report import Row
from .rivals import Rivals
from .service import Process, Service, bearer

BATCH = f"/api/v1/dossier-batches/vnpt/{BATCH_MONTH}"
OPERATION = "/api/v1/dossier-batches/{source}/{month}"
NDJSON, CSV = "application/x-ndjson", "text/csv"
# Of quality.md: a rival may take no less than this many times as long.
RIVAL_GOALS = {"FastAPI": 2.6}
FRESH, REPLAY = 1.15, 0.55


def _deliver(process: Process, token: str, path: Path, query: str, media_type: str) -> tuple[float, dict]:
    """Seconds and the answer."""
    headers = bearer(token, **{"Content-Type": media_type, "Content-Length": str(path.stat().st_size)})
    with open(path, "rb") as body:
        started = time.perf_counter()
        status, _, answer = process.request("PUT", f"{BATCH}?{query}", body, headers)
        taken = time.perf_counter() - started
    if status != 200:
        raise RuntimeError(f"PUT {BATCH} of {process.name}: {status} {answer[:500]!r}")
    return taken, json.loads(answer)


def _tuples(database: Database) -> str:
    """Changes with every tuple written into the month, be it the same figures again."""
    month = f"month = '{BATCH_MONTH}-01'"
    return database.query(f"select count(*), sum(hashtextextended(ctid::text || xmin::text, 0)) from dossier_counts where {month}")


class Deliveries:
    """Times of each contender, every one into an empty month."""

    def __init__(self, database: Database, rows: Batch):
        self.database, self.rows = database, rows
        self.fresh: dict[str, list[float]] = {}
        self.again: dict[str, list[float]] = {}
        self.rewritten: set[str] = set()

    def service(self, name: str, process: Process, token: str, path: Path, media_type: str) -> None:
        """Once fresh and once more."""
        reset(self.database)
        taken, answer = _deliver(process, token, path, self.rows.query, media_type)
        if answer["counts"]["created"] != self.rows.rows:
            raise RuntimeError(f"{name} created {answer['counts']}, not {self.rows.rows}")
        before = _tuples(self.database)
        again, answer = _deliver(process, token, path, self.rows.query, media_type)
        if before != _tuples(self.database) or answer["counts"]["unchanged"] != self.rows.rows:
            self.rewritten.add(name)
        self.fresh.setdefault(name, []).append(taken)
        self.again.setdefault(name, []).append(again)

    def psql(self) -> None:
        reset(self.database)
        self.fresh.setdefault("psql", []).append(copy_and_upsert(self.database, self.rows))

    def rival(self, name: str, process: Process, token: str) -> None:
        reset(self.database)
        taken, answer = _deliver(process, token, self.rows.ndjson, self.rows.query, NDJSON)
        if answer["rows"] != self.rows.rows:
            raise RuntimeError(f"{name} stored {answer}")
        self.fresh.setdefault(name, []).append(taken)

    def ms(self, name: str) -> float:
        return statistics.median(self.fresh[name]) * 1000

    def again_ms(self, name: str) -> float:
        return statistics.median(self.again[name]) * 1000


def batches(bench: Bench) -> list[Row]:
    """100,000 rows of a month, checked, with rollups, in one transaction."""
    service = bench.service
    service.must_offer(OPERATION, "put", NDJSON)
    done = Deliveries(bench.database, bench.batch)
    token = service.client_token("vnpt")
    for _ in bench.settings.each_round():
        done.service("NDJSON", service, token, bench.batch.ndjson, NDJSON)
        done.service("CSV", service, token, bench.batch.csv, CSV)
        done.psql()
        for name, rival in bench.rivals.running.items():
            done.rival(name, rival, token)
    reset(bench.database)
    rows = []
    for name in ("NDJSON", "CSV"):
        line = f"batch of {bench.batch.rows:,} rows, {name}"
        note = "TUPLES WRITTEN" if name in done.rewritten else "no tuple written"
        rows.append(Row(line, "ms", done.ms(name), "psql COPY + upsert", done.ms("psql"), ("<=", FRESH), rss=service.rss()))
        rows.append(Row(f"{line}, again", "ms", done.again_ms(name), "fresh", done.ms(name), ("<=", REPLAY), errors=name in done.rewritten, note=note))
    return rows + _rival_rows(bench, done)


def _rival_rows(bench: Bench, done: Deliveries) -> list[Row]:
    rows = []
    for name in Rivals.KNOWN:
        goal = ("<=", 1 / RIVAL_GOALS[name]) if name in RIVAL_GOALS else None
        row = Row(f"batch of {bench.batch.rows:,} rows, NDJSON, against {name}", "ms", against=name, goal=goal)
        if name in done.fresh:
            row.ours, row.limit, row.note = done.ms("NDJSON"), done.ms(name), "the rival checks less and keeps no rollups"
        else:
            row.note = f"skipped: {bench.rivals.missing.get(name)}"
        rows.append(row)
    return rows


def growth(bench: Bench) -> list[Row]:
    """The batch into a small and into a large database, in turns."""
    bench.service.must_offer(OPERATION, "put", NDJSON)
    small, plan = prepare(bench.server, bench.binary, bench.settings.small_rows)
    rows = batch(small, plan)
    done = {"small": Deliveries(small, rows), "large": Deliveries(bench.database, rows)}
    with Service(bench.binary, small, "small") as of_small:
        for _ in bench.settings.each_round():
            for name, service in (("small", of_small), ("large", bench.service)):
                done[name].service(name, service, service.client_token("vnpt"), rows.ndjson, NDJSON)
    reset(bench.database)
    against = f"{bench.settings.small_rows:,} rows"
    line = f"growth: batch of {rows.rows:,} rows into {bench.plan.rows:,}"
    return [Row(line, "ms", done["large"].ms("large"), against, done["small"].ms("small"), ("<=", 1.1))]


def _long_stream(database: Database, size: int) -> Iterator[bytes]:
    """Rows that are all right, widened with blanks to the size asked for; fewer than a batch may have at most."""
    pairs = min(2450, max(1, size // (AGENCIES * 200)))
    codes = database.query(f"select a.code, s.code from bench.agencies a cross join generate_series(0, {pairs // 3 * 3 - 1}, 3) p "
                           "join bench.services s on s.n = bench.service_of(a.n, p) order by a.n, p").split("\n")
    width = size // (len(codes) * 3)
    zeros = ",".join(f'"{name}":0' for name in ("resolved_early", "resolved_late", "withdrawn", "carried_in", "in_progress_on_time", "in_progress_overdue"))
    for code in codes:
        agency, service = code.split("|")
        for channel in ("online", "in_person", "postal"):
            row = f'{{"agency":"{agency}","service":"{service}","channel":"{channel}","received":3,"resolved_on_time":3,{zeros}'
            yield row.ljust(width - 2).encode() + b"}\n"


def _gathered(parts: Iterator[bytes], size: int = 1 << 18) -> Iterator[bytes]:
    """Pieces large enough that sending them is not what takes the time."""
    pieces, length = [], 0
    for part in parts:
        pieces.append(part)
        length += len(part)
        if length >= size:
            yield b"".join(pieces)
            pieces, length = [], 0
    yield b"".join(pieces)


def memory(bench: Bench) -> list[Row]:
    """What a long stream adds to the resident memory. Its control totals are wrong: it is read whole, and refused."""
    bench.service.must_offer(OPERATION, "put", NDJSON)
    size = bench.settings.stream_bytes
    with Service(bench.binary, bench.database, "stream") as service:
        headers = bearer(service.client_token("vnpt"), **{"Content-Type": NDJSON})
        body = _gathered(_long_stream(bench.database, size))
        service.reset_peak()
        idle, started, note = service.peak(), time.perf_counter(), ""
        try:
            status, _, answer = service.request("PUT", f"{BATCH}?rows=1&received=1", body, headers)
            note = f"{status} {json.loads(answer).get('code', '')}"
        except (ConnectionError, OSError) as error:
            note = f"closed before its end ({error})"
        note += f" after {time.perf_counter() - started:.1f} s"
        grown = service.peak() - idle
    reset(bench.database)
    return [Row(f"memory over idle during a stream of {size // 10**6} MB", "MiB", grown, goal=("<=", 64.0), rss=idle + grown, note=note)]


def freshness(bench: Bench) -> list[Row]:
    """After each 2xx the very next answer must have the figure, on this instance; on another within a second."""
    bench.service.must_offer(OPERATION, "put", NDJSON)
    reset(bench.database)
    with Service(bench.binary, bench.database, "second") as second:
        stale, waits = _write_and_read(bench, second)
    reset(bench.database)
    times = len(waits)
    slowest = max(waits) * 1000
    return [
        Row(f"freshness: stale answers after {times} batches", "answers", stale, goal=("<=", 0)),
        Row("freshness: another instance has it, slowest", "ms", slowest, goal=("<=", 1000.0)),
    ]


def _write_and_read(bench: Bench, second: Service, times: int = 20) -> tuple[int, list[float]]:
    token = bench.service.client_token("vnpt")
    path, code = f"{RATES}?period={BATCH_MONTH}&agency=XA-001&metric=on_time", bench.database.query("select code from bench.services where n = 40")
    figure: Callable[[Service], int] = lambda service: service.json(path, bearer(token))["items"][0]["denominator"]  # noqa: E731
    stale, waits = 0, []
    for n in range(1, times + 1):
        row = {"agency": "XA-001", "service": code, "channel": "online", "received": n, "resolved_early": 0, "resolved_on_time": n}
        row |= dict.fromkeys(("resolved_late", "withdrawn", "carried_in", "in_progress_on_time", "in_progress_overdue"), 0)
        headers = bearer(token, **{"Content-Type": NDJSON})
        status, _, answer = bench.service.request("PUT", f"{BATCH}?rows=1&received={n}", json.dumps(row).encode() + b"\n", headers)
        if status != 200:
            raise RuntimeError(f"PUT {BATCH}: {status} {answer[:500]!r}")
        stale += figure(bench.service) != n
        started = time.perf_counter()
        while figure(second) != n and time.perf_counter() - started < 5:
            pass
        waits.append(time.perf_counter() - started)
    return stale, waits


def submissions(bench: Bench) -> list[Row]:
    """An officer's whole set of figures with its checks and its audit row, against the same statements by pgbench."""
    service, database = bench.service, bench.database
    codes = database.query("select code from bench.indicators order by position").split("\n")
    token = service.user_token("coordinator")

    def ours(seconds: int):
        drafts = database.query("select id || ' ' || version from submissions where id::text like '00000000-0000-7000-8000-%' order by id")
        return load.put_values(service.base, token, drafts.split("\n"), codes, seconds)

    limit = partial(load.pgbench, database, codes="{" + ",".join(codes) + "}")
    contenders = {"ours": ours, "plain": partial(limit, "submission_values.sql"), "once": partial(limit, "submission_once.sql")}
    found = alternate(bench.settings, contenders)
    line = "submission write with checks and audit"
    return [
        bench.row(line, found["ours"], "pgbench BEGIN…COMMIT", found["plain"], (">=", 1.0), "statement by statement"),
        bench.row(line, found["ours"], "pgbench, our statements", found["once"], None, "without the checks between them"),
    ]
