"""Clients that write while things break, and keep their ledger as an honest client would: no answer means "perhaps"."""

import random
import threading
import time

from .ledger import Ledger, Register, number
from .service import Answer, Lost, Service

# Reports that are never repeated when there is no answer: they must be there once or not at all.
NEVER_REPEATED = 0.15
PATIENCE = 90
MONTHS = [f"{year}-{month:02}" for year in range(2019, 2026) for month in range(1, 13)]


class Stopped(Exception):
    """The run is over and what was asked is still open."""


class Writer(threading.Thread):
    """Works through its own agencies, months and tasks; no two writers share one."""

    def __init__(self, number: int, service: Service, ledger: Ledger, world: "World", stop: threading.Event):
        super().__init__(daemon=True)
        self.number, self.service, self.ledger, self.world, self.stop = number, service, ledger, world, stop
        self.caller, self.random = service.caller(20), random.Random(number)
        self.months = world.months[number]
        self.tasks = world.tasks[number :: world.writers]
        self.failure = None

    def run(self) -> None:
        kinds = [self.submission, self.report, self.batch, self.agency]
        try:
            while not self.stop.is_set():
                self.random.choice(kinds)()
        except Stopped:
            pass
        except Exception as error:  # noqa: BLE001: a writer that breaks is told, not lost
            self.failure = f"{type(error).__name__}: {error}"

    # --- asking ---

    def once(self, who: str, method: str, path: str, body=None, **headers: str) -> Answer | None:
        """One attempt; `None` when it may have been done or not."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            answer = self.caller.request(method, path, body, self.service.bearer(who) | named)
            if answer.status == 401:
                answer = self.caller.request(method, path, body, self.service.bearer(who, anew=True) | named)
        except Lost:
            self.ledger.count("no answer")
            return None
        if answer.status in (503, 429):
            self.ledger.count("told to come again")
            if "retry-after" not in answer.headers:
                self.ledger.violate(f"{method} {path}: {answer.status} without Retry-After")
            return None
        if answer.status >= 500:
            self.ledger.violate(f"{method} {path}: {answer!r}")
            return None
        return answer

    def settled(self, who: str, method: str, path: str, body=None, **headers: str) -> tuple[Answer, bool]:
        """Asks until there is an answer; whether an earlier attempt may have been done."""
        perhaps, began = False, time.monotonic()
        while True:
            answer = self.once(who, method, path, body, **headers)
            busy = answer is not None and answer.status == 409 and b"IDEMPOTENCY_IN_PROGRESS" in answer.body
            if answer is not None and not busy:
                if answer.headers.get("idempotency-replayed") == "true":
                    self.ledger.count("replayed")
                return answer, perhaps
            perhaps = True
            if time.monotonic() - began > PATIENCE:
                self.ledger.violate(f"{method} {path}: no answer for {PATIENCE} s")
                raise Stopped
            time.sleep(0.05)

    def posted(self, who: str, path: str, body: dict) -> Answer:
        """A `POST` with a key, asked until it is answered: whatever happened on the way, it is done once."""
        answer, perhaps = self.settled(who, "POST", path, body, Idempotency_Key=f"chaos-{number()}")
        if answer.status not in (200, 201):
            self.ledger.violate(f"POST {path} (perhaps done before: {perhaps}): {answer!r}")
            raise Stopped
        self.ledger.count("acknowledged")
        return answer

    def put(self, register: Register, value: object, who: str, method: str, path: str, body: dict, tag: str) -> str:
        """A change with `If-Match`. Refused as stale after an attempt without an answer, it may have been that attempt: the
        resource is read. Answers the new tag."""
        answer, perhaps = self.settled(who, method, path, body, If_Match=tag)
        if answer.status == 200:
            register.acknowledge(value)
            self.ledger.count("acknowledged")
            return answer.headers["etag"]
        if answer.status == 412 and perhaps:
            register.leave_open(value)
            found, _ = self.settled(who, "GET", path)
            return found.headers["etag"]
        self.ledger.violate(f"{method} {path} (perhaps done before: {perhaps}): {answer!r}")
        raise Stopped

    # --- what is written ---

    def submission(self) -> None:
        """From draft to accepted, with several states of its figures on the way."""
        if not self.months:
            return self.report()
        agency, month = self.months.pop(0)
        created = self.posted("coordinator", "submissions", {"agency": agency, "period": month})
        identity, tag = created.json()["id"], created.headers["etag"]
        register = self.ledger.open(self.ledger.submissions, identity)
        register.acknowledge(("draft", None))
        for _ in range(3):
            mark = number()
            values = {"values": [{"indicator": "UD.CQ.01", "numerator": mark, "denominator": 10**9, "note": "chaos"}]}
            tag = self.put(register, ("draft", mark), "coordinator", "PUT", f"submissions/{identity}/values", values, tag)
        if register.maybe:
            return None
        for who, action, state in ((f"officer.{agency.lower()}", "submit", "submitted"), ("coordinator", "accept", "accepted")):
            self.posted(who, f"submissions/{identity}/transitions", {"action": action})
            register.acknowledge((state, register.value[1]))
        return None

    def report(self) -> None:
        """Of a task: appended, so one that was done twice is there twice."""
        task, agency = self.random.choice(self.tasks)
        mark = f"chaos-{number()}"
        body = {"agency": agency, "percent": self.random.randrange(100), "narrative": mark}
        path = f"tasks/{task}/updates"
        if self.random.random() > NEVER_REPEATED:
            self.posted("coordinator", path, body)
            self.ledger.reports[mark] = True
            return
        answer = self.once("coordinator", "POST", path, body)
        self.ledger.reports[mark] = answer is not None
        self.ledger.count("acknowledged" if answer else "left open")
        if answer is not None and answer.status != 201:
            self.ledger.violate(f"POST {path}: {answer!r}")

    def batch(self) -> None:
        """A source's month whole, again with other figures: idempotent without a key."""
        agency, service = self.world.offers[self.number % len(self.world.offers)]
        month = f"{2000 + self.number}-{self.random.randrange(1, 13):02}"
        mark = number()
        counts = dict.fromkeys(("resolved_early", "resolved_late", "withdrawn", "carried_in", "in_progress_on_time", "in_progress_overdue"), 0)
        row = {"agency": agency, "service": service, "channel": "online", "received": mark, "resolved_on_time": mark} | counts
        register = self.ledger.open(self.ledger.batches, f"vnpt/{month}")
        answer, _ = self.settled("client:vnpt", "PUT", f"dossier-batches/vnpt/{month}", {"control": {"rows": 1, "received": mark}, "rows": [row]})
        if answer.status != 200:
            self.ledger.violate(f"PUT dossier-batches/vnpt/{month}: {answer!r}")
            return
        register.acknowledge(mark)
        self.ledger.count("acknowledged")

    def agency(self) -> None:
        """A new one, then renamed."""
        code = f"CHAOS-{number()}"
        tag = self.posted("coordinator", "agencies", {"code": code, "name": code, "kind": "department"}).headers["etag"]
        register = self.ledger.open(self.ledger.agencies, code)
        register.acknowledge(None)
        for _ in range(2):
            mark = f"chaos {number()}"
            tag = self.put(register, mark, "coordinator", "PATCH", f"agencies/{code}", {"name_en": mark}, tag)


class World:
    """What there is to write about."""

    def __init__(self, service: Service, writers: int):
        self.writers, caller, headers = writers, service.caller(), service.bearer("coordinator")
        agencies = caller.request("GET", "agencies?limit=200&kind=department,district&active_on=2019-01-01", None, headers).json()["items"]
        self.agencies = [one["code"] for one in agencies if not one["valid_from"] and not one["valid_to"]]
        tasks = caller.request("GET", "tasks?limit=200", None, headers).json()["items"]
        self.tasks = [(one["code"], one["progress"][0]["agency"]) for one in tasks if "update" in one["allowed_actions"] and self._open(one)]
        # What is used up stays so: a month of an agency has one submission.
        self.months = [[(agency, month) for month in MONTHS for agency in self.agencies[n::writers]] for n in range(writers)]
        services = caller.request("GET", "services?limit=50", None, headers).json()["items"]
        self.offers = [(one["agencies"][0], one["code"]) for one in services if one["agencies"] and one["status"] == "in_force"]
        if min(len(self.agencies), len(self.tasks)) < writers or not self.offers:
            raise RuntimeError(f"too little to write about: {len(self.agencies)} agencies, {len(self.tasks)} tasks, {len(self.offers)} services")

    @staticmethod
    def _open(task: dict) -> bool:
        first = task["progress"][0] if task["progress"] else None
        return bool(first) and not first["confirmed_at"] and first["status"] not in ("completed", "cancelled", "completed_late")


class Crowd:
    """Writers that go on for as long as the block lasts, and finish what they asked."""

    def __init__(self, service: Service, ledger: Ledger, world: World):
        self.service, self.ledger, self.stop = service, ledger, threading.Event()
        self.writers = [Writer(n, service, ledger, world, self.stop) for n in range(world.writers)]

    def __enter__(self) -> "Crowd":
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for writer in self.writers:
            writer.join(PATIENCE + 60)
            if writer.is_alive():
                self.ledger.violate(f"writer {writer.number} hangs")
            if writer.failure:
                self.ledger.violate(f"writer {writer.number}: {writer.failure}")

    def until_written(self, more: int, seconds: float = 60) -> None:
        """Waits until so many more writes are acknowledged: there is work under way when something breaks."""
        goal, began = self.ledger.counts["acknowledged"] + more, time.monotonic()
        while self.ledger.counts["acknowledged"] < goal:
            if time.monotonic() - began > seconds:
                self.ledger.violate(f"no {more} writes within {seconds} s")
                return
            time.sleep(0.01)
