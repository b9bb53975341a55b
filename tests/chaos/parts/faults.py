"""What the service answers while the database cannot: in time, with `Retry-After`, and as before when it is back."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .common import Skipped, promise, run, until
from .service import Answer, Lost
from .stage import POOL, Stage

# Promised is one second; a loaded machine with a debug build gets some room.
IN_TIME = 1.3
# Half a second for a connection, then 0.9 for the lock, with the same room.
BOTH_WAITS = 1.6


def _must_be_busy(answer: Answer, what: str, within: float = IN_TIME) -> None:
    promise(answer.status == 503, f"{what}: {answer!r}")
    promise(answer.headers.get("retry-after", "").isdigit(), f"{what}: no Retry-After")
    promise(answer.seconds <= within, f"{what}: told after {answer.seconds:.2f} s")


def _probes(stage: Stage) -> dict[str, Callable[[], Answer]]:
    coordinator, vnpt = stage.service.bearer("coordinator"), stage.service.bearer("client:vnpt")
    call = lambda *request: stage.service.caller().request(*request)  # noqa: E731
    return {
        "list": lambda: call("GET", "agencies?limit=5", None, coordinator),
        "statistic": lambda: call("GET", "statistics/service-levels?period=2018-05", None, coordinator),
        "write": lambda: call("POST", "agencies", {"code": "NEVER", "name": "x", "kind": "department"}, coordinator),
        "batch": lambda: call("PUT", "dossier-batches/vnpt/2016-03", {"control": {"rows": 0, "received": 0}, "rows": []}, vnpt),
        "export": lambda: call("GET", "dossier-counts/export?period=2018", None, coordinator),
        "login": lambda: call("POST", "auth/login", {"username": "monitor", "password": "x" * 20}),
        "ready": lambda: call("GET", "/readyz"),
    }


def database_gone(stage: Stage) -> str:
    """PostgreSQL stops: everything says 503 in time, /healthz does not notice, and all is well when it is back."""
    slowest, recovery = 0.0, 0.0
    for _ in range(stage.times(2, 10)):
        probes = _probes(stage)
        # A full pool: each of its connections is dead afterwards.
        with ThreadPoolExecutor(POOL * 2) as pool:
            list(pool.map(lambda _: stage.service.caller().request("GET", "audit-events?limit=50", None, stage.service.bearer("coordinator")), range(POOL * 4)))
        stage.cluster.stop("immediate")
        time.sleep(1.0)
        for name, probe in probes.items():
            answer = probe()
            _must_be_busy(answer, f"{name} without a database")
            slowest = max(slowest, answer.seconds)
        promise(stage.service.caller().request("GET", "/healthz").status == 200, "/healthz fails without a database")
        stage.cluster.start()
        back = time.monotonic()
        until("reads are back", lambda: _ok(stage, "agencies?limit=5"))
        until("transactions are back", lambda: _ok(stage, "audit-events?limit=5"))
        recovery = max(recovery, time.monotonic() - back)
        # One after the other: every dead connection of the pool would show.
        late = [n for n in range(POOL * 2) if not _ok(stage, "audit-events?limit=5")]
        promise(not late, f"after recovery {len(late)} requests met a dead connection")
    promise(recovery < 2, f"recovered after {recovery:.2f} s")
    return f"503 after at most {slowest:.2f} s; recovered after at most {recovery:.2f} s"


def _ok(stage: Stage, path: str) -> bool:
    try:
        return stage.service.caller(5).request("GET", path, None, stage.service.bearer("coordinator")).status == 200
    except Lost:
        return False


def _edit(stage: Stage, code: str, tag: str, name: str) -> Answer:
    headers = stage.service.bearer("coordinator") | {"If-Match": tag}
    return stage.service.caller().request("PATCH", f"agencies/{code}", {"name_en": name}, headers)


def _agency(stage: Stage, code: str) -> str:
    """Makes an agency outside the ledger; answers its tag."""
    body = {"code": code, "name": code, "kind": "department"}
    answer = stage.service.caller().request("POST", "agencies", body, stage.service.bearer("coordinator"))
    promise(answer.status == 201, repr(answer))
    return answer.headers["etag"]


def locked(stage: Stage) -> str:
    """Somebody holds a row's lock, then enough of them to hold every connection: writers are told in time, the rest goes on."""
    suffix = time.monotonic_ns()
    tag = _agency(stage, f"LOCK-{suffix}")
    # Waiting for a connection and then for the lock each have their time.
    with ThreadPoolExecutor(POOL * 12) as pool:
        session = stage.cluster.session(f"begin; select 1 from agencies where code = 'LOCK-{suffix}' for update;")
        try:
            waiting = [pool.submit(_edit, stage, f"LOCK-{suffix}", tag, "x") for _ in range(POOL * 12)]
            time.sleep(0.3)
            promise(stage.service.caller().request("GET", "/healthz").seconds < 0.5, "/healthz waits for the pool")
            promise(stage.service.status("/readyz") == 200, "not ready because writers wait for each other")
            promise(_ok(stage, "statistics/service-levels?period=2018-04"), "statistics wait for the pool")
            answers = [one.result() for one in waiting]
            for answer in answers:
                _must_be_busy(answer, "a write that waits for a lock", BOTH_WAITS)
        finally:
            session.stdin.close()
            session.wait(10)
    until("writes go on", lambda: _edit(stage, f"LOCK-{suffix}", tag, "y").status == 200, 5)
    slowest = max(answer.seconds for answer in answers)
    at_once = sum(answer.seconds < 0.3 for answer in answers)
    return f"{len(answers)} writers told after at most {slowest:.2f} s, {at_once} of them at once; statistics, /healthz and /readyz unharmed"


def one_row(stage: Stage) -> str:
    """200 writers on one row: one winner for each version."""
    code, rounds, wins = f"ROW-{time.monotonic_ns()}", stage.times(2, 10), 0
    tag = _agency(stage, code)
    for turn in range(rounds):
        barrier = threading.Barrier(200)

        def edit(n: int, tag: str = tag, turn: int = turn) -> Answer:
            barrier.wait()
            while True:
                answer = _edit(stage, code, tag, f"{turn}-{n}")
                # Whoever was told to come again does.
                if answer.status != 503:
                    return answer
                time.sleep(0.05 * (n % 7))

        with ThreadPoolExecutor(200) as pool:
            answers = list(pool.map(edit, range(200)))
        won = [answer for answer in answers if answer.status == 200]
        lost = [answer for answer in answers if answer.status == 412]
        promise(len(won) == 1 and len(lost) == 199, f"{len(won)} winners, {len(lost)} losers of 200: {[a for a in answers if a.status not in (200, 412)][:2]}")
        tag, wins = won[0].headers["etag"], wins + 1
    version, events = stage.cluster.rows(f"select version, (select count(*) from audit_events where entity = 'agency' and entity_key = code) from agencies where code = '{code}'")[0]
    promise(int(version) == int(events) == wins + 1, f"version {version}, {events} audit events after {wins} wins")
    return f"{wins} rounds: 1 winner and 199 × 412 each; version {version}, {events} audit events"


def disk_full(stage: Stage) -> str:
    """A tablespace on a file system of 24 MiB runs full."""
    if os.geteuid() != 0:
        raise Skipped("a small file system can be mounted by root alone")
    small: Path = stage.home / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "tmpfs", str(small)], capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise Skipped(f"no file system can be mounted here: {mounted.stderr.strip()}")
    place = small / "space"
    try:
        place.mkdir(mode=0o700)
        stage.cluster.own(place)
        stage.cluster.query(f"create tablespace small location '{place}'")
        for table in ("audit_events", "task_updates"):
            stage.cluster.query(f"alter table {table} set tablespace small")
        return _fill_and_clear(stage, small)
    finally:
        for table in ("audit_events", "task_updates"):
            subprocess.run(["psql", "-XAtqc", f"alter table {table} set tablespace pg_default", stage.cluster.url], check=False)
        subprocess.run(["psql", "-XAtqc", "drop tablespace small", stage.cluster.url], check=False)
        run("umount", "-l", small)


def _fill_and_clear(stage: Stage, small: Path) -> str:
    filler = small / "filler"
    with open(filler, "wb") as file:
        try:
            while file.write(bytes(1 << 16)):
                file.flush()
        except OSError:
            pass
    refused, slowest, done = 0, 0.0, 0
    agency = stage.cluster.rows("select code from agencies where kind = 'department' order by code limit 1")[0][0]
    name = f"DISK-{time.monotonic_ns()}"
    for n in range(400):
        body = {"code": f"{name}-{n}", "name": "x" * 280, "kind": "department", "parent": agency}
        answer = stage.service.caller().request("POST", "agencies", body, stage.service.bearer("coordinator"))
        if answer.status == 201:
            done += 1
            continue
        _must_be_busy(answer, "a write on a full disk")
        refused, slowest = refused + 1, max(slowest, answer.seconds)
        if refused == 20:
            break
    promise(refused == 20, f"the disk did not run full: {done} writes")
    promise(_ok(stage, "agencies?limit=5") and stage.service.status("/healthz") == 200, "reads fail on a full disk")
    stored = int(stage.cluster.query(f"select count(*) from agencies where code like '{name}-%'"))
    promise(stored == done, f"{done} acknowledged, {stored} there")
    filler.unlink()
    body = {"code": f"{name}-again", "name": "x", "kind": "department"}
    back = until(
        "writes go on", lambda: stage.service.caller().request("POST", "agencies", body, stage.service.bearer("coordinator")).status == 201, 5
    )
    promise(back < 2, f"recovered after {back:.2f} s")
    return f"{refused} writes told after at most {slowest:.2f} s, nothing half done; recovered after {back:.2f} s"
