"""The service's three hot endpoints as one would write them with FastAPI and asyncpg: plain SQL on the same tables, no cache."""

import base64
import binascii
import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import asyncpg
import jwt
import orjson
from fastapi import Depends, FastAPI, HTTPException, Request, Response

CHANNELS = {"online": 1, "in_person": 2, "postal": 3}
NAMES = {number: name for name, number in CHANNELS.items()}
COUNTS = [
    "received", "resolved_early", "resolved_on_time", "resolved_late",
    "withdrawn", "carried_in", "in_progress_on_time", "in_progress_overdue",
]  # fmt: skip
WHOLE = {"type": "province", "code": "ALL", "name": "Toàn tỉnh"}
DEFAULT = "dossiers_level_3_resolved,dossiers_level_4_resolved"

SUMS = """select r.level, r.received, r.resolved, r.in_time, r.online_received, r.online_resolved from agencies a
    left join dossier_agency_rollups r on r.grain = 1 and r.period = $2 and r.agency_id = a.id where a.code = $1"""
TARGETS = """select code, comparator, value, due from targets where subject = 'metric' and scope = 'province' and year = $1 and code = any($2)"""
PAGE = """select c.month, c.agency_id, c.service_id, c.channel, a.code as agency, s.code as service, c.source, c.revision, {counts}
    from dossier_counts c join agencies a on a.id = c.agency_id join services s on s.id = c.service_id
    where c.source = $1 and c.month between $2 and $3 and (c.month, c.agency_id, c.service_id, c.channel) > ($4, $5, $6, $7)
    order by c.month, c.agency_id, c.service_id, c.channel limit $8""".format(counts=", ".join(f"c.{name}" for name in COUNTS))
SENT = f"create temporary table sent (agency text, service text, channel smallint, {', '.join(f'{name} integer' for name in COUNTS)}) on commit drop"
UPSERT = """insert into dossier_counts as c (month, agency_id, service_id, channel, source, {counts}, revision)
    select $1, a.id, p.id, s.channel, $2, {sent}, 1 from sent s join agencies a on a.code = s.agency join services p on p.code = s.service
    on conflict (month, agency_id, service_id, channel) do update set ({counts}, revision) = row({fresh}, excluded.revision)
    where ({kept}) is distinct from ({fresh})""".format(
    counts=", ".join(COUNTS),
    sent=", ".join(f"s.{name}" for name in COUNTS),
    kept=", ".join(f"c.{name}" for name in COUNTS),
    fresh=", ".join(f"excluded.{name}" for name in COUNTS),
)

with open(os.environ["TOKEN_KEY_FILE"], encoding="utf-8") as file:
    KEYS = {key["kid"]: base64.b64decode(key["secret"]) for key in json.load(file)["keys"]}


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=8, max_size=8)
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=lifespan, openapi_url=None)


def caller(request: Request) -> str:
    """The subject of a valid access token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise jwt.InvalidTokenError("no bearer token")
        key = KEYS[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(token, key, algorithms=["HS256"], audience="ict-index-api", issuer="ict-index")
    except (jwt.InvalidTokenError, KeyError) as error:
        raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"}) from error
    return claims["sub"]


def answer(value) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def first_day(month: str) -> date:
    try:
        return datetime.strptime(month, "%Y-%m").date()
    except ValueError as error:
        raise HTTPException(400, "period: expected a month such as 2018-03") from error


@app.get("/healthz")
async def healthz():
    return {"status": "ok"}


def counted(metric: str, rows) -> tuple[int, int]:
    """Numerator and denominator of a rate from the sums per level."""
    if metric == "on_time":
        return sum(row["in_time"] for row in rows), sum(row["resolved"] for row in rows)
    level, _, of = metric.removeprefix("dossiers_level_").rpartition("_")
    if of == "all":
        level = level.removesuffix("_of")
    levels = {int(number) for number in level.split("_")}
    chosen = [row for row in rows if row["level"] in levels]
    column = "received" if of == "received" else "resolved"
    of_rows = rows if of == "all" else chosen
    return sum(row[f"online_{column}"] for row in chosen), sum(row[column] for row in of_rows)


def rate_item(metric: str, group: dict, rows, target) -> dict:
    numerator, denominator = counted(metric, rows)
    exact = Decimal(100 * numerator) / denominator if denominator else None
    rate = exact.quantize(Decimal("0.01"), ROUND_HALF_UP) if exact is not None else None
    item = {
        "metric": metric, "counting": None, "group": group, "numerator": numerator, "denominator": denominator,
        "rate": float(rate) if rate is not None else None, "rate_reason": None if denominator else "no_dossiers",
        "target": None, "gap": None, "dossiers_needed": None, "dossiers_to_shift": None,
    }  # fmt: skip
    if target:
        value = target["value"]
        met = exact >= value if exact is not None else None
        item["target"] = {"comparator": target["comparator"], "value": float(value), "value_to": None, "due": target["due"], "met": met}
        if exact is not None:
            item["gap"] = float((value - exact).quantize(Decimal("0.01"), ROUND_HALF_UP))
            missing = value * denominator - 100 * numerator
            item["dossiers_needed"] = max(0, -int(-missing // (100 - value)))
            item["dossiers_to_shift"] = max(0, -int(-missing // 100))
    return item


@app.get("/api/v1/statistics/dossier-rates")
async def dossier_rates(request: Request, period: str, agency: str, metric: str = DEFAULT, _: str = Depends(caller)):
    month, metrics = first_day(period), metric.split(",")
    async with request.app.state.pool.acquire() as connection:
        rows = await connection.fetch(SUMS, agency, month)
        targets = await connection.fetch(TARGETS, month.year, metrics)
    if not rows:
        raise HTTPException(400, "agency: unknown")
    rows = [row for row in rows if row["level"] is not None]
    aims = {target["code"]: target for target in targets}
    items = [rate_item(one, WHOLE, rows, aims.get(one)) for one in metrics]
    coverage = {"expected": 1, "reported": int(bool(rows)), "missing": [] if rows else [agency], "partial": []}
    return answer({"period": period, "level_at": "period_end", "coverage": coverage, "as_of": datetime.now(UTC), "items": items})


@app.get("/api/v1/dossier-counts")
async def dossier_counts(request: Request, period: int, limit: int = 50, cursor: str | None = None, source: str = Depends(caller)):
    after = (date(1, 1, 1), 0, 0, 0)
    if cursor:
        try:
            month, *numbers = orjson.loads(base64.urlsafe_b64decode(cursor))
            after = (date.fromisoformat(month), *numbers)
        except (ValueError, binascii.Error) as error:
            raise HTTPException(400, "cursor: malformed") from error
    bounds = (date(period, 1, 1), date(period, 12, 31))
    rows = await request.app.state.pool.fetch(PAGE, source, *bounds, *after, limit + 1)
    page = rows[:limit]
    items = [
        {"month": f"{row['month']:%Y-%m}", "agency": row["agency"], "service": row["service"], "channel": NAMES[row["channel"]],
         **{name: row[name] for name in COUNTS}, "source": row["source"], "revision": row["revision"]}
        for row in page
    ]  # fmt: skip
    following = None
    if len(rows) > limit:
        last = page[-1]
        following = base64.urlsafe_b64encode(orjson.dumps([last["month"], last["agency_id"], last["service_id"], last["channel"]])).decode()
    return answer({"items": items, "page": {"limit": limit, "next_cursor": following}})


def record(line: bytes) -> tuple:
    row = orjson.loads(line)
    counts = tuple(row[name] for name in COUNTS)
    if min(counts) < 0 or counts[0] + counts[5] != sum(counts[1:5]) + counts[6] + counts[7]:
        raise ValueError("counts do not balance")
    return (row["agency"], row["service"], CHANNELS[row["channel"]], *counts)


@app.put("/api/v1/dossier-batches/{source}/{month}")
async def put_batch(request: Request, source: str, month: str, rows: int, received: int, _: str = Depends(caller)):
    records, rest = [], b""
    try:
        async for chunk in request.stream():
            *lines, rest = (rest + chunk).split(b"\n")
            records.extend(map(record, lines))
        if rest.strip():
            records.append(record(rest))
    except (ValueError, KeyError) as error:
        raise HTTPException(422, str(error)) from error
    if len(records) != rows or sum(record[3] for record in records) != received:
        raise HTTPException(422, "control totals differ")
    async with request.app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute(SENT)
        await connection.copy_records_to_table("sent", records=records)
        await connection.execute(UPSERT, first_day(month), source)
    return answer({"source": source, "month": month, "rows": len(records)})
