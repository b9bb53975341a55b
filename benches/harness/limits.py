"""What the service is held against on the same machine: bare actix, and psql doing the bare work of a batch."""

import time
from dataclasses import dataclass
from pathlib import Path

from .data import BATCH_MONTH, COUNTS, Batch
from .database import Database
from .service import Process, free_port
from .settings import WORK

_COLUMNS = COUNTS.split(", ")
_SENT = ", ".join(f"s.{name}" for name in _COLUMNS)
_KEPT = ", ".join(f"c.{name}" for name in _COLUMNS)
_FRESH = ", ".join(f"excluded.{name}" for name in _COLUMNS)
_TABLE = f"agency text, service text, channel text, {', '.join(f'{name} integer' for name in _COLUMNS)}"

# One transaction: rows to a temporary table, codes resolved in the join, written where they differ. No checks, no rollups, no history.
COPY_AND_UPSERT = [
    "begin",
    f"create temporary table sent ({_TABLE}) on commit drop",
    "copy sent from stdin (format csv, header)",
    f"""insert into dossier_counts as c (month, agency_id, service_id, channel, source, {COUNTS}, revision)
        select date '{BATCH_MONTH}-01', a.id, p.id, case s.channel when 'online' then 1 when 'in_person' then 2 else 3 end, 'vnpt', {_SENT}, 1
        from sent s join agencies a on a.code = s.agency join services p on p.code = s.service
        on conflict (month, agency_id, service_id, channel) do update set ({COUNTS}, revision) = row({_FRESH}, excluded.revision)
        where ({_KEPT}) is distinct from ({_FRESH})""",
    "commit",
]


def copy_and_upsert(database: Database, batch: Batch) -> float:
    """Seconds of psql for the rows of the batch."""
    started = time.perf_counter()
    database.copy_in(COPY_AND_UPSERT, batch.csv)
    return time.perf_counter() - started


@dataclass(frozen=True)
class Answer:
    """A body of the service with what describes it."""

    body: bytes
    content_type: str
    encoding: str | None

    @classmethod
    def of(cls, process: Process, path: str, headers: dict[str, str], status: int = 200) -> "Answer":
        """Asks once, which also warms the cache and proves that the line measures what it says."""
        found, names, body = process.request("GET", path, headers=headers)
        if found != status:
            raise RuntimeError(f"GET {path}: expected {status}, got {found} {body[:300]!r}")
        return cls(body, names.get("content-type", ""), names.get("content-encoding"))


class StaticServer(Process):
    """An actix that answers these bytes and does nothing else."""

    PATH = "/static"

    def __init__(self, binary: Path, answer: Answer):
        body, port = WORK / "static-body", free_port()
        body.write_bytes(answer.body)
        encoding = [answer.encoding] if answer.encoding else []
        super().__init__("static", [binary, f"127.0.0.1:{port}", body, answer.content_type, *encoding], {}, port, self.PATH)
