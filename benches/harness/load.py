"""Load, and figures of it: wrk against HTTP, pgbench against PostgreSQL, contenders in turns."""

import json
import os
import re
import statistics
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass

from .database import Database
from .settings import BENCHES, CONNECTIONS, CORES, WORK, Settings, run

WRK = BENCHES / "wrk"
PGBENCH_WARM_UP = 2


@dataclass(frozen=True)
class Figures:
    """Of one run, or the medians of several: requests per second, latencies in ms, answers that void it."""

    rate: float
    p50: float | None
    p99: float | None
    errors: int


def _file(name: str, lines: list[str]):
    # A flood runs beside another load: each has files of its own.
    path = WORK / f"{name}-{threading.get_ident()}.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _wrk(script: str, base: str, seconds: int, connections: int, *arguments: object, pause: float = 0) -> Figures:
    # Two threads of load are more than two cores of service can answer.
    threads = 2 if connections > 1 else 1
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", WRK / script, base, "--"]
    text = run(*command, *arguments, env=os.environ | {"BENCH_WRK": str(WRK), "BENCH_PAUSE": str(round(pause))})
    found = json.loads(text.strip().splitlines()[-1])
    # A run without a single answer has no latencies and proves nothing: it counts as an error.
    errors = found["errors"] or int(found["requests"] == 0)
    return Figures(found["requests"] / found["seconds"], found["p50"], found["p99"], errors)


def get(base: str, paths: list[str], headers: dict[str, str], seconds: int, connections: int = CONNECTIONS, pause: float = 0) -> Figures:
    """Asks for the paths in turn. `pause`: milliseconds that a connection waits before each request, on average."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return _wrk("rotate.lua", base, seconds, connections, _file("headers", lines), _file("paths", paths), pause=pause)


def post(base: str, path: str, bodies: list[str], seconds: int, connections: int = CONNECTIONS) -> Figures:
    """Sends each JSON in turn, again and again."""
    headers = _file("headers", ["Content-Type: application/json"])
    return _wrk("post.lua", base, seconds, connections, headers, path, _file("bodies", bodies))


def put_values(base: str, token: str, submissions: list[str], codes: list[str], seconds: int) -> Figures:
    """Writes the values of submissions (`id version` each), whose versions it keeps up with."""
    headers = _file("headers", [f"Authorization: Bearer {token}", "Content-Type: application/json"])
    return _wrk("values.lua", base, seconds, CONNECTIONS, headers, _file("submissions", submissions), _file("codes", codes))


def pgbench(database: Database, script: str, seconds: int, **variables: object) -> Figures:
    """The same statements, prepared, from as many connections as requests are in flight.

    Its connections are new each time, and plan a statement five times before they keep a plan, which the service's did long ago:
    what they do in their first seconds does not count, or the limit would be too low.
    """
    chosen = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
    length = seconds + PGBENCH_WARM_UP
    command = [database.server.program("pgbench"), "-n", "-M", "prepared", "-c", CONNECTIONS, "-j", CORES, "-T", length, "-P", 1]
    text = run(*command, *chosen, "-f", BENCHES / "sql" / script, database.url, stderr=subprocess.STDOUT)
    each_second = [float(rate) for rate in re.findall(r"^progress: [\d.]+ s, ([\d.]+) tps", text, re.M)]
    failed = re.search(r"number of failed transactions: (\d+)", text)
    warm = each_second[PGBENCH_WARM_UP:]
    if not warm:
        raise RuntimeError(f"pgbench told no progress: {text[-300:]}")
    return Figures(statistics.mean(warm), None, None, int(failed[1]) if failed else 0)


def median_of(runs: list[Figures]) -> Figures:
    """Medians of the figures, the sum of the errors."""
    middle = lambda values: statistics.median(values) if None not in values else None  # noqa: E731
    return Figures(
        statistics.median(one.rate for one in runs),
        middle([one.p50 for one in runs]),
        middle([one.p99 for one in runs]),
        sum(one.errors for one in runs),
    )


def alternate(settings: Settings, contenders: dict[str, Callable[[int], Figures]]) -> dict[str, Figures]:
    """Each contender in turn, round after round, after a second to warm up: what disturbs one disturbs the others."""
    for contender in contenders.values():
        contender(1)
    runs: dict[str, list[Figures]] = {name: [] for name in contenders}
    for _ in settings.each_round():
        for name, contender in contenders.items():
            runs[name].append(contender(settings.seconds))
    return {name: median_of(of) for name, of in runs.items()}
