"""What happens to the cluster while sixteen write, and what is measured: the longest time without an acknowledged write."""

import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import network
from cluster_site import Leader, Site
from network import CLIENTS, PEERS
from node import Node
from parts.common import promise

FAILOVER, SWITCHOVER, INSTANCE = 15.0, 1.0, 2.0


def _under_writers(site: Site, event: Callable[[], None], limit: float, after: int = 60) -> tuple[float, str]:
    """(longest gap, figures of the ledger)"""
    reads = site.reads
    with site.crowd() as crowd:
        crowd.until_written(60)
        began = time.monotonic()
        event()
        crowd.until_written(after)
        gap = site.ledger.longest_gap(began)
    result = site.holds()
    promise(gap <= limit, f"no acknowledged write for {gap:.1f} s")
    return gap, f"{result}; {site.reads - reads} reads, none old"


def _fenced(site: Site, old: Node) -> str:
    """The former leader's log has no commit from after another led."""
    timeline, lsn, at = site.promotion()
    beyond = old.commits_after(timeline, lsn)
    late = [one for one in beyond if one > at]
    promise(not late, f"{old.name} was written to after another led: {late[:3]}, {at}")
    return f"{len(beyond)} unacknowledged commits left on the old leader, none from after the promotion"


def leader_killed(site: Site) -> str:
    """SIGKILL to PostgreSQL and Patroni of the node that leads."""
    old, results = site.leading(), []

    def event() -> None:
        old.kill_patroni()
        old.kill_postgres()
        site.another_leads(old)
        results.append(_fenced(site, old))

    gap, figures = _under_writers(site, event, FAILOVER)
    old.start_patroni()
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; {results[0]}; back after {back:.0f} s"


def postgres_killed(site: Site) -> str:
    """SIGKILL to PostgreSQL alone."""
    old = site.leading()

    def event() -> None:
        old.kill_postgres()
        site.another_leads(old)

    gap, figures = _under_writers(site, event, FAILOVER)
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; back after {back:.0f} s"


def switchover(site: Site) -> str:
    """`patronictl switchover` to the synchronous standby, three times."""
    gaps, figures = [], ""
    for _ in range(3):
        old, new = site.leading(), site.with_role("sync_standby")

        def event(old: Node = old, new: Node = new) -> None:
            site.patronictl("switchover", "--master", old.name, "--candidate", new.name, "--force")
            site.another_leads(old)

        gap, figures = _under_writers(site, event, FAILOVER)
        gaps.append(gap)
        site.whole_again()
    site.alike()
    promise(max(gaps) <= SWITCHOVER, f"unavailable {' / '.join(f'{gap:.2f}' for gap in gaps)} s")
    return f"unavailable {' / '.join(f'{gap:.2f}' for gap in gaps)} s; {figures}"


def node_cut(site: Site) -> str:
    """Both cables of the node that leads are pulled, and put back."""
    old, results = site.leading(), []

    def event() -> None:
        network.pull(old.number, PEERS, CLIENTS)
        site.another_leads(old)
        results.append(_fenced(site, old))

    gap, figures = _under_writers(site, event, FAILOVER)
    network.heal(old.number, PEERS, CLIENTS)
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; {results[0]}; back after {back:.0f} s"


class Stubborn(threading.Thread):
    """A client that knows one node only and goes on writing there."""

    def __init__(self, node: Node):
        super().__init__(daemon=True)
        self.node, self.stop, self.written = node, threading.Event(), []

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                Leader().query(f"insert into ha_probe values (clock_timestamp(), {self.node.number})", node=self.node.number)
                self.written.append(datetime.now(UTC))
            except (RuntimeError, subprocess.TimeoutExpired):
                pass
            time.sleep(0.1)


def node_isolated(site: Site) -> str:
    """The node that leads is cut off from etcd and the other nodes; the service and another client still reach it."""
    old, results, stubborn = site.leading(), [], Stubborn(site.leading())

    def event() -> None:
        stubborn.start()
        network.pull(old.number, PEERS)
        site.another_leads(old)
        time.sleep(2)
        results.append(_fenced(site, old))
        stubborn.stop.set()

    gap, figures = _under_writers(site, event, FAILOVER)
    _, _, at = site.promotion()
    late = [one for one in stubborn.written if one > at]
    promise(not late, f"{old.name} acknowledged {len(late)} writes after another led")
    network.heal(old.number, PEERS)
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; {results[0]}; a client of that node alone: none of its writes acknowledged after it; back after {back:.0f} s"


def standby_cut(site: Site) -> str:
    """The synchronous standby's cables are pulled: commits wait until another takes its part."""
    standby = site.with_role("sync_standby")
    gap, figures = _under_writers(site, lambda: network.pull(standby.number, PEERS, CLIENTS), FAILOVER)
    network.heal(standby.number, PEERS, CLIENTS)
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; back after {back:.0f} s"


def disk_full(site: Site) -> str:
    """The disk of the leader's log runs full, and gets room again."""
    old, filler = site.leading(), []

    def event() -> None:
        # Segments that are retained for reuse hold out for a while: they are used up, and what a checkpoint frees is filled again.
        while site.leading() in (old, None):
            filler.append(old.fill_wal())
            try:
                site.leader.query("select pg_logical_emit_message(false, 'ha', repeat('x', 4000000)) from generate_series(1, 8)", "postgres", old.number)
            except RuntimeError:
                break
        site.another_leads(old)

    gap, figures = _under_writers(site, event, FAILOVER)
    filler[-1].unlink()
    back = site.whole_again()
    site.alike()
    return f"unavailable {gap:.1f} s; {figures}; back after {back:.0f} s"


def instance_killed(site: Site) -> str:
    """SIGKILL to one of the two instances."""
    one = site.instances[0]
    gap, figures = _under_writers(site, one.kill, INSTANCE, 120)
    one.start()
    return f"unavailable {gap:.2f} s; {figures}"


def instance_replaced(site: Site) -> str:
    """SIGTERM to each instance, one after the other, as an update does."""

    def event() -> None:
        for one in site.instances:
            one.terminate()
            one.child.wait(30)
            one.start()
            # HAProxy sees it within a quarter of a second.
            time.sleep(0.6)

    gap, figures = _under_writers(site, event, INSTANCE)
    return f"unavailable {gap:.2f} s; {figures}"
