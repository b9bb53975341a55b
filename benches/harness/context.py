"""What every line of the table has at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .data import Batch, Plan
from .database import Database, Server
from .load import Figures
from .report import Row
from .rivals import Rivals
from .service import Service
from .settings import Settings


@dataclass
class Bench:
    settings: Settings
    binary: Path
    static_binary: Path
    server: Server
    database: Database
    plan: Plan
    batch: Batch
    service: Service
    rivals: Rivals
    lines: list[Row] = field(default_factory=list)

    @contextmanager
    def uncached(self, database: Database | None = None, name: str = "uncached") -> Iterator[Service]:
        """An instance that keeps no answers. A version without that option is asked for more keys than it keeps."""
        with Service(self.binary, database or self.database, name, ANSWER_CACHE_MIB="0") as service:
            yield service

    def row(self, line: str, ours: Figures, against: str, limit: Figures | None, goal, note: str = "", rss: float | None = None) -> Row:
        """A row of requests per second against a limit."""
        rate = limit.rate if limit else None
        errors = ours.errors + (limit.errors if limit else 0)
        return Row(line, "req/s", ours.rate, against, rate, goal, ours.p50, ours.p99, errors, rss or self.service.rss(), note)

    def rival_rows(self, line: str, ours: Figures, found: dict[str, Figures], goals: dict[str, float], wrong: dict[str, str]) -> list[Row]:
        """A row for each rival; one that is missing or answers other figures is named with the reason."""
        rows = []
        for name in Rivals.KNOWN:
            goal = (">=", goals[name]) if name in goals else None
            if name in found and name not in wrong:
                rows.append(self.row(f"{line}, against {name}", ours, name, found[name], goal))
            else:
                why = wrong.get(name) or self.rivals.missing.get(name, "not measured")
                rows.append(Row(f"{line}, against {name}", against=name, goal=goal, note=f"skipped: {why}"))
        return rows
