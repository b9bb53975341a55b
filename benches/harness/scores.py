"""A score run of 30 indicators × 200 units with an explanation, and a what-if: the times of one request, not of many at once."""

import json
import statistics
import time

from .context import Bench
from .data import LAST_YEAR
from .report import Row
from .service import Service, bearer

RUNS, OBSERVATIONS = "/api/v1/index-runs", "/api/v1/frameworks/{code}/observations/{data_year}"
CODE = "BENCH-30"
GROUPS, INDICATORS, UNITS = 3, 10, 200


def _framework() -> dict:
    """Three groups of ten, all between the lowest and the highest observed: every figure moves every unit's score."""
    leaf = lambda group, n: {"code": f"B.{group}.{n}", "name": f"{group}.{n}", "weight": n, "direction": 1, "normalise": {"method": "min_max"}}  # noqa: E731
    groups = [
        {"code": f"B.{group}", "name": str(group), "aggregate": "arithmetic", "children": [leaf(group, n) for n in range(1, INDICATORS + 1)]}
        for group in range(1, GROUPS + 1)
    ]
    root = {"code": "B", "name": "bench", "aggregate": "arithmetic", "children": groups}
    ranking = {"decimals": 4, "ties": "competition"}
    return {"code": CODE, "name": "bench", "unit_type": "unit", "status": "assumed", "rank": ranking, "missing": "exclude_and_reweight", "root": root}


def _rows() -> list[dict]:
    """Figures that differ from unit to unit, the same on every run."""
    codes = [f"B.{group}.{n}" for group in range(1, GROUPS + 1) for n in range(1, INDICATORS + 1)]
    return [
        {"unit": f"U{unit:03}", "indicator": code, "value": (unit * 7919 + at * 104729) % 10_000 / 100}
        for unit in range(UNITS)
        for at, code in enumerate(codes)
    ]


def _asked(service: Service, method: str, path: str, body: dict | None, headers: dict[str, str], expected: tuple[int, ...]) -> tuple[float, dict]:
    text = None if body is None else json.dumps(body)
    started = time.perf_counter()
    status, _, answer = service.request(method, path, text, headers | {"Content-Type": "application/json"})
    taken = (time.perf_counter() - started) * 1000
    if status not in expected:
        raise RuntimeError(f"{method} {path}: {status} {answer[:500]!r}")
    return taken, json.loads(answer or b"{}")


def score_run(bench: Bench) -> list[Row]:
    """The run is stored, explained for one unit, and asked what a better figure would change."""
    service = bench.service
    service.must_offer(RUNS, "post")
    service.must_offer(OBSERVATIONS, "put")
    headers = bearer(service.user_token("coordinator"))
    # There from an earlier run: 409.
    _asked(service, "POST", "/api/v1/frameworks", _framework(), headers, (201, 409))
    _asked(service, "PUT", OBSERVATIONS.format(code=CODE, data_year=LAST_YEAR), {"rows": _rows()}, headers, (200, 201))
    runs, whatifs = [], []
    for n in range(10):
        body = {"framework": CODE, "data_year": LAST_YEAR, "index_year": LAST_YEAR, "kind": "provisional", "label": f"bench {time.time_ns()}"}
        made, run = _asked(service, "POST", RUNS, body, headers, (201,))
        told, _ = _asked(service, "GET", f"{RUNS}/{run['id']}/units/U{n:03}/explanation", None, headers, (200,))
        runs.append(made + told)
        change = {"changes": [{"unit": f"U{n:03}", "indicator": "B.2.3", "value": 99.5}], "frontier": "live"}
        whatifs.append(_asked(service, "POST", f"{RUNS}/{run['id']}/simulations", change, headers, (200,))[0])
    size = f"{GROUPS * INDICATORS} × {UNITS}"
    return [
        Row(f"score run of {size} with explanation", "ms", statistics.median(runs), goal=("<=", 300.0), rss=service.rss()),
        Row(f"what-if on a run of {size}", "ms", statistics.median(whatifs), goal=("<=", 100.0), rss=service.rss()),
    ]
