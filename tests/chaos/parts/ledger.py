"""What clients were told, and what they may expect to find for it."""

import itertools
import threading
from dataclasses import dataclass, field

_numbers = itertools.count(1)


def number() -> int:
    """Never the same twice in a run."""
    return next(_numbers)


@dataclass
class Register:
    """A thing that one writer changes, one change after the other: it holds what was acknowledged last, or one of the changes that were
    asked for since and never answered."""

    key: str
    value: object = None
    maybe: list[object] = field(default_factory=list)
    acknowledged: int = 0

    def acknowledge(self, value: object) -> None:
        self.value, self.maybe, self.acknowledged = value, [], self.acknowledged + 1

    def leave_open(self, value: object) -> None:
        self.maybe.append(value)

    def may_hold(self, found: object) -> bool:
        return found == self.value or found in self.maybe


class Ledger:
    """Of all writers; each writes its own lines."""

    def __init__(self):
        self.submissions: dict[str, Register] = {}
        self.agencies: dict[str, Register] = {}
        self.batches: dict[str, Register] = {}
        # Marker of a report: acknowledged, or asked once and never answered.
        self.reports: dict[str, bool] = {}
        # Events of reports that there were before.
        self.report_events = 0
        self.violations: list[str] = []
        self.counts = {"acknowledged": 0, "no answer": 0, "told to come again": 0, "replayed": 0, "left open": 0}
        self._lock = threading.Lock()

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def violate(self, what: str) -> None:
        with self._lock:
            self.violations.append(what)

    def open(self, kind: dict, key: str) -> Register:
        with self._lock:
            return kind.setdefault(key, Register(key))

    def told(self) -> str:
        return ", ".join(f"{n:,} {what}" for what, n in self.counts.items())
