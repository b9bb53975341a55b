"""Databases of a given number of dossier counts, kept from run to run, and the batch that is delivered to them."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import service
from .database import PLACE, SCRIPT, Database, Server
from .settings import BENCHES, ROOT, WORK, run, say

SQL = BENCHES / "sql"
AGENCIES = 200
LAST_YEAR = 2024
# The first month without data: deliveries go there, and its month before is full.
BATCH_MONTH = "2025-01"
BATCH_ROWS = 100_000
CHANNELS = "case channel when 1 then 'online' when 2 then 'in_person' else 'postal' end"
COUNTS = "received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, in_progress_on_time, in_progress_overdue"


@dataclass(frozen=True)
class Plan:
    """600 k rows are a dense year of 200 agencies; more are more years, and from ten years on more rows a month."""

    rows: int

    @property
    def years(self) -> int:
        return max(1, min(10, round(self.rows / 600_000)))

    @property
    def months(self) -> int:
        return self.years * 12

    @property
    def first(self) -> int:
        return LAST_YEAR - self.years + 1

    @property
    def pairs(self) -> int:
        """Rows of an agency and month."""
        return max(1, round(self.rows / (AGENCIES * self.months)))

    def fingerprint(self) -> str:
        sources = [*sorted((ROOT / "migrations").glob("*/up.sql")), SQL / "data.sql", SQL / "year.sql", SQL / "batches.sql"]
        text = b"".join(path.read_bytes() for path in sources) + str(self.rows).encode()
        return hashlib.sha256(text).hexdigest()[:16]


def prepare(server: Server, binary: Path, rows: int, suffix: str = "") -> tuple[Database, Plan]:
    """The database of that many rows: as an earlier run left it, or new. `suffix` distinguishes databases of several binaries."""
    plan, name = Plan(rows), f"bench_{rows}{suffix}"
    run(SCRIPT, "create", PLACE, name)
    database = Database(server, name)
    mark = f"{plan.fingerprint()} complete"
    there = "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
    if database.query(there) != mark:
        say(f"making a database of {rows:,} rows")
        Database(server, "postgres").query(f"drop database {name}")
        run(SCRIPT, "create", PLACE, name)
        service.command(binary, database, "migrate")
        service.command(binary, database, "seed", "--demo")
        _generate(database, plan)
        database.query(f"comment on database {name} is '{mark}'")
    # Another key or password than the last run's; new rollups where the code that makes them has changed.
    service.command(binary, database, "seed", "--demo")
    reset(database)
    _rollups(database, binary)
    return database, plan


def _generate(database: Database, plan: Plan) -> None:
    database.script(SQL / "data.sql")
    for year in range(plan.first, LAST_YEAR + 1):
        database.script(SQL / "year.sql", year=year, first=plan.first, pairs=plan.pairs)
    database.script(SQL / "batches.sql")
    database.query("vacuum (analyze)")


def _rollups(database: Database, binary: Path) -> None:
    try:
        service.command(binary, database, "verify", "--repair")
    except RuntimeError as error:
        if "unrecognized subcommand" not in str(error):
            raise
        say("this binary has no `verify --repair`: rollups stay as they are")
    database.query("vacuum (analyze) dossier_agency_rollups, dossier_service_rollups; checkpoint")


def reset(database: Database) -> None:
    """Removes what earlier lines delivered."""
    database.script(SQL / "reset.sql")


@dataclass(frozen=True)
class Batch:
    """A month of the whole province as files, with its control totals."""

    rows: int
    received: int
    ndjson: Path
    csv: Path

    @property
    def query(self) -> str:
        return f"rows={self.rows}&received={self.received}"


def batch(database: Database, plan: Plan, rows: int = BATCH_ROWS) -> Batch:
    """The same rows in both formats, carried over from the last month of the data."""
    pairs = rows // AGENCIES
    source = f"bench.counts('{BATCH_MONTH}-01', {pairs}, {min(plan.pairs, pairs)})"
    received = int(database.query(f"select sum(received) from {source}"))
    select = f"select agency, service, {CHANNELS} as channel, {COUNTS} from {source}"
    found = Batch(pairs * AGENCIES, received, WORK / "batch.ndjson", WORK / "batch.csv")
    _copy(database, f"copy ({select}) to stdout (format csv, header)", found.csv)
    with open(found.csv, encoding="utf-8") as lines, open(found.ndjson, "w", encoding="utf-8") as out:
        names = next(lines).strip().split(",")
        for line in lines:
            cells = line.strip().split(",")
            texts = [json.dumps(cell) if place < 3 else cell for place, cell in enumerate(cells)]
            out.write("{" + ",".join(f'"{name}":{text}' for name, text in zip(names, texts, strict=True)) + "}\n")
    return found


def _copy(database: Database, text: str, path: Path) -> None:
    with open(path, "wb") as out:
        subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", database.url, "-c", text], stdout=out, check=True)
