"""Three database nodes, two instances of the service and HAProxy in front of them."""

import contextlib
import re
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import network
from network import CLIENTS, NODES, PEERS, address
from node import LOGINS, PASSWORDS, Node
from parts.common import ROOT, free_port, promise, run, say, until
from parts.compare import compare, report_events
from parts.ledger import Ledger
from parts.service import Caller, Service
from parts.writers import Crowd, World

POOL = 8


def url(user: str, password: str, nodes: tuple[int, ...] = NODES, database: str = "ict_index") -> str:
    hosts = ",".join(f"{address(n, CLIENTS)}:5432" for n in nodes)
    return f"postgres://{user}:{quote((PASSWORDS | LOGINS)[password])}@{hosts}/{database}?target_session_attrs=read-write"


class TimedLedger(Ledger):
    """Knows when it was written in."""

    def __init__(self):
        super().__init__()
        self.times: list[float] = []

    def count(self, what: str) -> None:
        super().count(what)
        if what == "acknowledged":
            self.times.append(time.monotonic())

    def longest_gap(self, since: float) -> float:
        """The longest time without an acknowledged write from `since` on; one that goes on now counts."""
        times = [one for one in self.times if one >= since - 5]
        return max((after - before for before, after in zip(times, [*times[1:], time.monotonic()], strict=True) if after >= since), default=time.monotonic() - since)


class Leader:
    """Whatever node leads, for `psql`: what parts.compare queries."""

    def query(self, text: str, database: str = "ict_index", node: int = 0) -> str:
        if node:
            target = url("postgres", "PATRONI_SUPERUSER_PASSWORD", (node,), database).replace("read-write", "any")
        else:
            target = url("postgres", "PATRONI_SUPERUSER_PASSWORD", database=database)
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", f"{target}&connect_timeout=3", "-c", text).strip()

    def rows(self, text: str) -> list[list[str]]:
        return [line.split("|") for line in self.query(text).splitlines()]


class Front(Service):
    """HAProxy before the instances, as a client sees it."""

    def __init__(self, home: Path, instances: list[Service]):
        self.instances, self.port = instances, free_port()
        self._tokens, self._lock = {}, threading.Lock()
        text = (ROOT / "docs" / "ha" / "haproxy.cfg").read_text(encoding="utf-8").replace("/etc/haproxy/", f"{home}/")
        for number, instance in enumerate(instances, 1):
            text = text.replace(f"ict-index-{number}:8080", f"127.0.0.1:{instance.port}")
        self.database_port = free_port()
        text = text.replace("bind :8080", f"bind 127.0.0.1:{self.port}").replace("bind :5000", f"bind 127.0.0.1:{self.database_port}")
        text = re.sub(r"postgres-(\d):5432", lambda found: f"{address(int(found[1]), CLIENTS)}:5432", text)
        (home / "haproxy.cfg").write_text(text, encoding="utf-8")
        (home / "unavailable.http").write_bytes((ROOT / "docs" / "ha" / "unavailable.http").read_bytes())
        with open(home / "haproxy.log", "ab") as log:
            self.child = subprocess.Popen(["haproxy", "-W", "-db", "-f", str(home / "haproxy.cfg")], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()

    def command(self, *arguments: str, **env: str) -> str:
        return self.instances[0].command(*arguments, DATABASE_URL=url("ict_index", "owner_password"), **env)


class Reader(threading.Thread):
    """Reads what was acknowledged, through HAProxy, and sees that it never gets anything older."""

    def __init__(self, front: Front, ledger: Ledger, stop: threading.Event):
        super().__init__(daemon=True)
        self.front, self.ledger, self.stop, self.reads, self.caller = front, ledger, stop, 0, front.caller(20)

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                self.look()
            except Exception as error:  # noqa: BLE001: no answer is no old answer
                if not isinstance(error, (OSError, KeyError)) and type(error).__name__ != "Lost":
                    self.ledger.violate(f"reader: {type(error).__name__}: {error}")
            time.sleep(0.02)

    def look(self) -> None:
        headers = self.front.bearer("coordinator")
        submissions = list(self.ledger.submissions.values())[-4:]
        for register in submissions:
            before = register.value
            if not before or before[1] is None:
                continue
            answer = self.caller.request("GET", f"submissions/{register.key}/values", None, headers)
            if answer.status == 200:
                values = answer.json().get("values") or [{}]
                self.saw(f"submission {register.key}", before[1], values[0].get("numerator") or 0)
        # Statistics are cached in memory by each instance: another's commit is heard of within a second.
        known = {key: register.value for key, register in list(self.ledger.batches.items())[-6:] if register.acknowledged}
        time.sleep(1.0)
        for key, before in known.items():
            answer = self.caller.request("GET", f"statistics/dossier-rates?period={key.split('/')[1]}&metric=on_time", None, headers)
            if answer.status == 200:
                self.saw(f"statistics of {key}", before, answer.json()["items"][0]["denominator"])

    def saw(self, what: str, acknowledged: int, found: int) -> None:
        # Marks only grow.
        self.reads += 1
        if found < acknowledged:
            self.ledger.violate(f"{what}: an old answer, {found} after {acknowledged} was acknowledged")


class Site:
    """What is opened is closed at the end, in reverse order and whatever fails while it is: nothing of one run is left for the next."""

    def __init__(self, binary: Path, writers: int):
        self.cleanup = contextlib.ExitStack()
        self.binary, self.writers, self.ledger, self.leader, self.reads = binary, writers, TimedLedger(), Leader(), 0
        self.nodes: dict[int, Node] = {}
        self.instances: list[Service] = []
        self.home = self.front = self.world = None

    def __enter__(self) -> "Site":
        return self

    def __exit__(self, *reason):
        return self.cleanup.__exit__(*reason)

    def open(self, home: Path) -> None:
        self.home = home
        say("three nodes, etcd and Patroni")
        self.cleanup.callback(network.remove)
        network.lay()
        for number in NODES:
            self.nodes[number] = Node(number, home)
            self.cleanup.callback(self.nodes[number].stop)
            self.nodes[number].make()
        for node in self.nodes.values():
            node.start_etcd()
        for node in self.nodes.values():
            node.start_patroni()
        until("the cluster is whole", self.is_whole, 120, 0.5)
        self._start_service()

    def _start_service(self) -> None:
        say("two instances and HAProxy; migrating, loading the plan and the demo")
        for number in (1, 2):
            # HAProxy is on this machine, as in docs/ha/docker-compose.ha.yml.
            settings = {"DATABASE_MAX_CONNECTIONS": str(POOL), "TRUSTED_PROXIES": "127.0.0.1"}
            one = Service(self.binary, self.home, url("ict_index_service", "service_password"), **settings)
            self.cleanup.callback(one.stop)
            one.log = self.home / f"instance{number}.log"
            self.instances.append(one)
        self.front = Front(self.home, self.instances)
        self.cleanup.callback(self.front.stop)
        self.front.command("migrate")
        self.front.command("seed", "--demo")
        self.ledger.report_events = report_events(self.leader)
        self.leader.query("create table ha_probe (at timestamptz not null, node int not null)")
        for one in self.instances:
            one.start()
        until("HAProxy has both", lambda: self.front.status("/readyz") == 200)
        self.world = World(self.front, self.writers)

    # --- the cluster ---

    def members(self) -> dict[str, dict]:
        for node in self.nodes.values():
            status, answer = node.request("/cluster")
            if status == 200:
                return {one["name"]: one for one in answer["members"]}
        return {}

    def is_whole(self) -> bool:
        """One leads, the others follow it on its timeline, and commits wait for one of them."""
        members = self.members()
        if sorted(one["role"] for one in members.values()) != ["leader", "replica", "sync_standby"]:
            return False
        if len({one.get("timeline") for one in members.values()}) != 1:
            return False
        # What Patroni 3.0 calls running need not stream.
        text = "select string_agg(sync_state, ' ' order by sync_state) from pg_stat_replication where state = 'streaming' and replay_lsn is not null"
        try:
            return self.leader.query(text, "postgres") == "async sync"
        except RuntimeError:
            return False

    def leading(self) -> Node | None:
        return next((node for node in self.nodes.values() if node.leads()), None)

    def with_role(self, role: str) -> Node:
        found = next(name for name, one in self.members().items() if one["role"] == role)
        return self.nodes[int(found[-1])]

    def another_leads(self, than: Node, seconds: float = 30) -> Node:
        until("another node leads", lambda: (found := self.leading()) is not None and found is not than, seconds, 0.1)
        return self.leading()

    def whole_again(self) -> float:
        return until("the cluster is whole again", self.is_whole, 90, 0.3)

    def promotion(self) -> tuple[int, int, datetime]:
        """(timeline that ended, position, when) of the last change of leader."""
        history = []

        def is_written() -> bool:
            leader = self.leading()
            if leader is None:
                return False
            history[:] = leader.request("/history")[1] or []
            now = (leader.request("/patroni")[1] or {}).get("timeline")
            return bool(history) and history[-1][0] + 1 == now

        # Some loops of Patroni later.
        until("the promotion is in the history", is_written, 10, 0.2)
        timeline, lsn, _, at, *_ = history[-1]
        return timeline, lsn, datetime.fromisoformat(at)

    def patronictl(self, *arguments: str) -> None:
        hosts = ",".join(f"'{address(n, PEERS)}:2379'" for n in NODES)
        run("env", f"PATRONI_ETCD_HOSTS={hosts}", "PATRONI_SCOPE=ict-index", "/usr/bin/python3", "/usr/bin/patronictl", "-c", self.nodes[1].home / "patroni.yml", *arguments)

    # --- writers ---

    def crowd(self) -> "Readers":
        return Readers(self)

    def holds(self) -> str:
        found = compare(self.ledger, self.leader, self.front)
        for name, all_of_it in found.all().items():
            for one in all_of_it[:10]:
                say(f"{name}: {one}")
        promise(not found.all(), f"the ledger does not hold: {found.told()}, others {len(found.others)}")
        return f"lost {len(found.lost)}, changed {len(found.changed)}, unasked {len(found.unasked)}, twice {len(found.duplicated)}"

    def alike(self) -> None:
        """All nodes hold the same: nothing of a former leader's own is left."""
        text = (
            "select (select count(*) || '/' || coalesce(max(id::text), '') from audit_events) || ' ' || (select sum(hashtext(s::text)::bigint) from submissions s) "
            "|| ' ' || (select sum(hashtext(a::text)::bigint) from agencies a) || ' ' || (select sum(hashtext(u::text)::bigint) from task_updates u)"
        )
        self.leader.query("checkpoint", "postgres")
        wanted = self.leader.query(text)
        for number in NODES:
            until(f"node {number} holds what the leader holds", lambda number=number: self.leader.query(text, node=number) == wanted, 20, 0.2)


class Readers:
    """Writers with two readers next to them."""

    def __init__(self, site: Site):
        self.site, self.stop = site, threading.Event()
        self.crowd = Crowd(site.front, site.ledger, site.world)
        self.readers = [Reader(site.front, site.ledger, self.stop) for _ in range(2)]

    def __enter__(self) -> Crowd:
        for reader in self.readers:
            reader.start()
        return self.crowd.__enter__()

    def __exit__(self, *reason):
        self.crowd.__exit__(*reason)
        self.stop.set()
        for reader in self.readers:
            reader.join(30)
            self.site.reads += reader.reads
