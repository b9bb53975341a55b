"""The table: rows, whether they reach their goals, Markdown and JSON."""

import json
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from .settings import CORES, ROOT, WORK, Settings, run


@dataclass
class Row:
    """A line of the table. `goal` is of the ratio where there is a limit, else of the figure itself: (">=", 0.75)."""

    line: str
    unit: str = "req/s"
    ours: float | None = None
    against: str = ""
    limit: float | None = None
    goal: tuple[str, float] | None = None
    p50: float | None = None
    p99: float | None = None
    errors: int = 0
    rss: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours / self.limit if self.ours is not None and self.limit else None

    @property
    def reached(self) -> str:
        """Errors void a row, whatever its figures."""
        if self.errors:
            return "void"
        value = self.ratio if self.against else self.ours
        if value is None or self.goal is None:
            return "-"
        sign, bound = self.goal
        return "yes" if (value >= bound if sign == ">=" else value <= bound) else "no"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _goal(row: Row) -> str:
    return f"{'≥' if row.goal[0] == '>=' else '≤'} {row.goal[1]:.3g}" if row.goal else ""


COLUMNS = ["line", "unit", "ours", "against", "limit", "ratio", "goal", "reached", "p50 ms", "p99 ms", "errors", "RSS MiB", "note"]


def _cells(row: Row) -> list[str]:
    ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
    figures = [_number(row.ours), row.against, _number(row.limit), ratio, _goal(row), row.reached]
    rest = [_number(row.p50), _number(row.p99), str(row.errors) if row.ours is not None else "", _number(row.rss)]
    return [row.line, row.unit, *figures, *rest, row.note.replace("|", "/").replace("\n", " ")]


def markdown(head: str, rows: list[Row]) -> str:
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(_cells(row) for row in rows)]
    return f"{head}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def conditions(settings: Settings, version: str) -> dict[str, str]:
    """What the figures depend on, besides the code."""
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": run("git", "describe", "--always", "--dirty").strip(),
        "cpu": model,
        "cores": str(CORES),
        "postgresql": version.split(" ", maxsplit=1)[0],
        "rows": f"{settings.rows:,}",
        "form": f"{'long' if settings.long else 'short'}, up to {settings.rounds} rounds of {settings.seconds} s, medians",
    }


def write(about: dict[str, str], rows: list[Row]) -> str:
    """Writes target/bench/table.md and table.json; answers the Markdown."""
    head = " · ".join(f"{name}: {value}" for name, value in about.items())
    text = markdown(head, rows)
    (WORK / "table.md").write_text(text, encoding="utf-8")
    raw = [asdict(row) | {"ratio": row.ratio, "reached": row.reached} for row in rows]
    document = json.dumps({"conditions": about, "rows": raw}, ensure_ascii=False, indent=1)
    (WORK / "table.json").write_text(document + "\n", encoding="utf-8")
    return f"{text}\nwritten to {(WORK / 'table.md').relative_to(ROOT)} and table.json\n"
