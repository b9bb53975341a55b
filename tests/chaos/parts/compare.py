"""The ledger against the database and against what the API answers."""

from dataclasses import dataclass, field

from .cluster import Cluster
from .ledger import Ledger
from .service import Service


@dataclass
class Findings:
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unaudited: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def all(self) -> dict[str, list[str]]:
        return {name: found for name, found in vars(self).items() if found}

    def told(self) -> str:
        return ", ".join(f"{name} {len(found)}" for name, found in vars(self).items() if name != "others")


def compare(ledger: Ledger, cluster: Cluster, service: Service | None) -> Findings:
    """Everything the ledger knows of. Without a service the database alone is asked."""
    found = Findings(others=list(ledger.violations))
    _submissions(ledger, cluster, found)
    _agencies(ledger, cluster, found)
    _reports(ledger, cluster, found)
    _batches(ledger, cluster, found)
    if service is not None:
        _answers(ledger, service, found)
        try:
            service.command("verify")
        except RuntimeError as error:
            found.others.append(str(error))
    return found


def _hold(found: Findings, register, value: object, what: str) -> None:
    if value is None and register.value is not None and not register.may_hold(value):
        found.lost.append(what)
    elif not register.may_hold(value):
        found.changed.append(f"{what}: {value!r} instead of {register.value!r} or {register.maybe!r}")


def _submissions(ledger: Ledger, cluster: Cluster, found: Findings) -> None:
    rows = cluster.rows(
        "select s.id, s.state, s.version, (select max(v.numerator)::bigint from submission_values v where v.submission_id = s.id), "
        "(select count(*) from audit_events e where e.entity = 'submission' and e.entity_key = s.id::text) "
        "from submissions s where extract(year from s.month) >= 2019"
    )
    there = {row[0]: row for row in rows}
    for identity, register in list(ledger.submissions.items()):
        if identity not in there:
            found.lost.append(f"submission {identity}")
            continue
        _, state, version, mark, events = there[identity]
        _hold(found, register, (state, int(mark) if mark else None), f"submission {identity}")
        if version != events:
            found.unaudited.append(f"submission {identity}: version {version}, {events} audit events")
    for identity in there.keys() - ledger.submissions.keys():
        found.unasked.append(f"submission {identity}")


def _agencies(ledger: Ledger, cluster: Cluster, found: Findings) -> None:
    rows = cluster.rows(
        "select code, name_en, version, (select count(*) from audit_events e where e.entity = 'agency' and e.entity_key = code) "
        "from agencies where code like 'CHAOS-%'"
    )
    there = {row[0]: row for row in rows}
    for code, register in list(ledger.agencies.items()):
        if code not in there:
            found.lost.append(f"agency {code}")
            continue
        _, name, version, events = there[code]
        _hold(found, register, name or None, f"agency {code}")
        if version != events:
            found.unaudited.append(f"agency {code}: version {version}, {events} audit events")
    for code in there.keys() - ledger.agencies.keys():
        found.unasked.append(f"agency {code}")


def report_events(cluster: Cluster) -> int:
    return int(cluster.query("select count(*) from audit_events where entity = 'task' and action = 'report'"))


def _reports(ledger: Ledger, cluster: Cluster, found: Findings) -> None:
    counts = {mark: int(n) for mark, n in cluster.rows("select narrative, count(*) from task_updates where narrative like 'chaos-%' group by 1")}
    for mark, acknowledged in list(ledger.reports.items()):
        if acknowledged and mark not in counts:
            found.lost.append(f"report {mark}")
    found.duplicated += [f"report {mark}: {n} times" for mark, n in counts.items() if n > 1]
    found.unasked += [f"report {mark}" for mark in counts.keys() - ledger.reports.keys()]
    events = report_events(cluster) - ledger.report_events
    if events != sum(counts.values()):
        found.unaudited.append(f"{sum(counts.values())} reports, {events} audit events")


def _batches(ledger: Ledger, cluster: Cluster, found: Findings) -> None:
    rows = cluster.rows(
        "select b.source || '/' || to_char(b.month, 'YYYY-MM'), max(b.revision), "
        "(select sum(c.received) from dossier_counts c where c.month = b.month), "
        "(select count(*) from audit_events e where e.entity = 'dossier_batch' and e.entity_key = b.source || '/' || to_char(b.month, 'YYYY-MM')) "
        "from dossier_batches b where extract(year from b.month) < 2016 group by b.source, b.month"
    )
    there = {row[0]: row for row in rows}
    for key, register in list(ledger.batches.items()):
        if key not in there:
            if register.acknowledged:
                found.lost.append(f"batch {key}")
            continue
        _, revision, received, events = there[key]
        _hold(found, register, int(received), f"batch {key}")
        if revision != events:
            found.unaudited.append(f"batch {key}: revision {revision}, {events} audit events")
    for key in there.keys() - ledger.batches.keys():
        found.unasked.append(f"batch {key}")


def _answers(ledger: Ledger, service: Service, found: Findings) -> None:
    """What the API answers is what was acknowledged, too: no cache knows better."""
    caller, headers = service.caller(), service.bearer("coordinator")
    for identity, register in list(ledger.submissions.items())[-200:]:
        state = caller.request("GET", f"submissions/{identity}", None, headers).json().get("state")
        values = caller.request("GET", f"submissions/{identity}/values", None, headers).json().get("values") or [{}]
        _hold(found, register, (state, values[0].get("numerator")), f"GET submissions/{identity}")
    for key, register in list(ledger.batches.items()):
        month = key.split("/")[1]
        if register.acknowledged:
            answer = caller.request("GET", f"statistics/dossier-rates?period={month}&metric=on_time", None, headers).json()
            _hold(found, register, answer["items"][0]["denominator"], f"GET statistics of {month}")
