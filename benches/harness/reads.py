"""Reading: statistics cached and not, the province's month, lists by cursor, growth."""

import random
from functools import partial
from itertools import product

from . import load
from .context import Bench
from .data import AGENCIES, LAST_YEAR, prepare
from .limits import Answer, StaticServer
from .load import Figures, alternate
from .report import Row
from .service import Process, bearer
from .settings import CONNECTIONS, NotThere

RATES = "/api/v1/statistics/dossier-rates"
ONE = f"{RATES}?period={LAST_YEAR}-05&agency=XA-017"
LIST = f"/api/v1/dossier-counts?limit=50&period={LAST_YEAR}"
METRICS = [
    "dossiers_level_3_resolved,dossiers_level_4_resolved",
    "dossiers_level_3_received,dossiers_level_4_received",
    "dossiers_level_3_4_resolved",
    "dossiers_level_3_of_all",
    "dossiers_level_4_of_all",
    "on_time",
]
# Of a rival's rate, from quality.md.
CACHED_GOALS = {"FastAPI": 35.0}
UNCACHED_GOALS = {"FastAPI": 13.0}


def _wrong(bench: Bench, token: str, path: str) -> dict[str, str]:
    """Rivals whose figures are not ours: a fast wrong answer is no rival."""
    key = lambda item: (item["metric"], item["group"]["code"], item["numerator"], item["denominator"], item["target"] is None)  # noqa: E731
    ours = sorted(map(key, bench.service.json(path, bearer(token))["items"]))
    wrong = {}
    for name, rival in bench.rivals.running.items():
        theirs = sorted(map(key, rival.json(path, bearer(token))["items"]))
        if theirs != ours:
            wrong[name] = f"other figures for {path}: {theirs} for {ours}"
    return wrong


def cached(bench: Bench) -> list[Row]:
    """The portal's question, again and again."""
    service, token = bench.service, bench.service.client_token("portal")
    wrong = _wrong(bench, token, ONE)
    headers = bearer(token)
    answer = Answer.of(service, ONE, headers)
    tag = service.request("GET", ONE, headers=headers)[1]["etag"]
    conditional = headers | {"If-None-Match": tag}
    Answer.of(service, ONE, conditional, status=304)
    with StaticServer(bench.static_binary, answer) as static:
        contenders = {
            "200": partial(load.get, service.base, [ONE], headers),
            "304": partial(load.get, service.base, [ONE], conditional),
            "static": partial(load.get, static.base, [StaticServer.PATH], headers),
        }
        for name, rival in bench.rivals.running.items():
            contenders[name] = partial(load.get, rival.base, [ONE], headers)
        found = alternate(bench.settings, contenders)
    size = f"{len(answer.body)} bytes"
    goal = (">=", 0.75)
    return [
        bench.row("cached statistic, 200", found["200"], "static actix", found["static"], goal, size),
        bench.row("cached statistic, 304", found["304"], "static actix", found["static"], goal, "the static one answers 200 with the body"),
        *bench.rival_rows("cached statistic", found["200"], found, CACHED_GOALS, wrong),
    ]


def keys(bench_months: int, seed: int = 1) -> list[str]:
    """Every agency × month × choice of rates, shuffled alike on every run, at most as many as wrk can prepare quickly."""
    months = [f"{LAST_YEAR - n // 12}-{12 - n % 12:02}" for n in range(bench_months)]
    agencies = [f"XA-{n:03}" for n in range(1, AGENCIES + 1)]
    drawn = random.Random(seed)
    all_of_them = list(product(agencies, months, METRICS))
    drawn.shuffle(all_of_them)
    return [f"{RATES}?metric={metric}&period={month}&agency={agency}" for agency, month, metric in all_of_them[:20_000]]


def plain_keys(bench_months: int) -> list[str]:
    """As `keys`, with the default rates alone, which is what the limit and the rivals answer."""
    return sorted({RATES + "?" + path.split("&", 1)[1] for path in keys(bench_months)}, key=lambda path: path[::-1])


def uncached(bench: Bench) -> list[Row]:
    """Another agency and month each time, nothing kept."""
    paths = plain_keys(bench.plan.months)
    token = bench.service.client_token("portal")
    wrong = _wrong(bench, token, paths[0])
    headers = bearer(token)
    with bench.uncached() as service:
        Answer.of(service, paths[0], headers)
        contenders = {
            "ours": partial(load.get, service.base, paths, headers),
            "every metric": partial(load.get, service.base, keys(bench.plan.months), headers),
            "pgbench": lambda seconds: load.pgbench(bench.database, "agency_month.sql", seconds, months=bench.plan.months),
        }
        for name, rival in bench.rivals.running.items():
            contenders[name] = partial(load.get, rival.base, paths, headers)
        found = alternate(bench.settings, contenders)
        ours, rss = found["ours"], service.rss()
        # A third of the full rate: how long one takes when the machine is not full.
        pause = CONNECTIONS * 3000 / ours.rate
        calm = load.get(service.base, paths, headers, bench.settings.seconds * 2, pause=pause)
    queued = f"{CONNECTIONS} at once, {ours.rate:,.0f} a second: {CONNECTIONS * 1000 / ours.rate:.1f} ms is the mean, whatever the spread"
    return [
        bench.row("uncached statistic", ours, "pgbench", found["pgbench"], (">=", 1.0), rss=rss),
        Row("uncached statistic, p99 at 64 connections", "ms", ours.p99, goal=("<=", 5.0), errors=ours.errors, note=queued),
        Row("uncached statistic, p99 at a third of that rate", "ms", calm.p99, p50=calm.p50, p99=calm.p99, errors=calm.errors, note=f"{calm.rate:,.0f} a second"),
        bench.row("uncached statistic, all rates in turn", found["every metric"], "pgbench", found["pgbench"], None, rss=rss),
        *bench.rival_rows("uncached statistic", ours, found, UNCACHED_GOALS, wrong),
    ]


def province_month(bench: Bench) -> list[Row]:
    """What VNPT pulls: every agency of a month, compressed."""
    path = f"{RATES}?period={LAST_YEAR}-05&group_by=agency"
    service, plain = bench.service, bearer(bench.service.client_token("portal"))
    headers = plain | {"Accept-Encoding": "br"}
    size = len(Answer.of(service, path, plain).body)
    answer = Answer.of(service, path, headers)
    if answer.encoding != "br":
        raise NotThere("not there yet: the answer is not compressed with brotli")
    with StaticServer(bench.static_binary, answer) as static:
        ours = partial(load.get, service.base, [path], headers)
        limit = partial(load.get, static.base, [StaticServer.PATH], headers)
        found = alternate(bench.settings, {"ours": ours, "static": limit})
    note = f"{size} bytes, {len(answer.body)} compressed"
    return [bench.row("province month by agency, cached, brotli", found["ours"], "static actix", found["static"], (">=", 0.9), note)]


def walk(process: Process, headers: dict[str, str], pages: int) -> list[str]:
    """The paths of the first pages, cursor by cursor."""
    paths = [LIST]
    while len(paths) < pages:
        cursor = process.json(paths[-1], headers)["page"]["next_cursor"]
        if cursor is None:
            break
        paths.append(f"{LIST}&cursor={cursor}")
    return paths


def lists(bench: Bench) -> list[Row]:
    """Pages of 50 counts from anywhere in the list, and the first against the thousandth."""
    service, headers = bench.service, bearer(bench.service.client_token("vnpt"))
    service.must_offer("/api/v1/dossier-counts", "get")
    pages = walk(service, headers, 1000)
    first = bench.database.query("select min(id) from bench.agencies")
    contenders = {
        "ours": partial(load.get, service.base, pages[::5], headers),
        "first": partial(load.get, service.base, pages[:1], headers),
        "last": partial(load.get, service.base, pages[-1:], headers),
        "pgbench": lambda seconds: load.pgbench(bench.database, "list_page.sql", seconds, first_agency=first),
    }
    for name, rival in bench.rivals.running.items():
        contenders[name] = partial(load.get, rival.base, walk(rival, headers, 200), headers)
    found = alternate(bench.settings, contenders)
    far, near = found["last"], found["first"]
    return [
        bench.row("list of 50 by cursor", found["ours"], "pgbench", found["pgbench"], (">=", 0.7)),
        Row(f"list, page {len(pages)}", "ms", 1000 / far.rate, "page 1", 1000 / near.rate, ("<=", 1.1), far.p50, far.p99, far.errors + near.errors),
        *bench.rival_rows("list of 50 by cursor", found["ours"], found, {}, {}),
    ]


def growth(bench: Bench) -> list[Row]:
    """The uncached statistic on a small and on a large database, in turns."""
    if not bench.settings.long:
        raise NotThere("long form only (make bench-long)")
    small, plan = prepare(bench.server, bench.binary, bench.settings.small_rows)
    with bench.uncached(small, "small") as of_small, bench.uncached() as of_large:
        ask = lambda service, months: partial(  # noqa: E731
            load.get, service.base, plain_keys(months), bearer(service.client_token("portal"))
        )
        found = alternate(bench.settings, {"small": ask(of_small, plan.months), "large": ask(of_large, bench.plan.months)})
    return [_growth_row(bench, "uncached statistic", found["large"], found["small"])]


def _growth_row(bench: Bench, line: str, large: Figures, small: Figures) -> Row:
    title = f"growth: {line}, {bench.plan.rows:,} rows"
    against = f"{bench.settings.small_rows:,} rows"
    errors = large.errors + small.errors
    return Row(title, "ms", 1000 / large.rate, against, 1000 / small.rate, ("<=", 1.1), large.p50, large.p99, errors)


