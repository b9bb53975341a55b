"""What breaks while many write. At the end of each the ledger is compared."""

import threading
import time

from .common import promise, until
from .service import Lost
from .stage import Stage


def service_killed(stage: Stage) -> str:
    """The service is killed (SIGKILL) under writers and started again."""
    with stage.crowd() as crowd:
        for _ in range(stage.times(4, 25)):
            crowd.until_written(25)
            stage.service.kill()
            stage.service.start()
    return stage.holds()


def database_killed(stage: Stage) -> str:
    """All of PostgreSQL is killed (SIGKILL) under writers and recovers."""
    slowest = 0.0
    with stage.crowd() as crowd:
        for _ in range(stage.times(3, 20)):
            crowd.until_written(25)
            stage.cluster.kill()
            stage.cluster.start()
            slowest = max(slowest, until("the service is ready again", lambda: stage.service.status("/readyz") == 200))
    promise(slowest < 2, f"ready {slowest:.2f} s after PostgreSQL was back")
    return f"ready again after at most {slowest:.2f} s; {stage.holds()}"


def both_killed(stage: Stage) -> str:
    """Both at once."""
    with stage.crowd() as crowd:
        for _ in range(stage.times(2, 15)):
            crowd.until_written(25)
            stage.service.kill()
            stage.cluster.kill()
            stage.cluster.start()
            stage.service.start()
    return stage.holds()


def link_cut(stage: Stage) -> str:
    """The line to PostgreSQL is cut around COMMIT: before it arrives, or after it was done and before its answer came."""
    with stage.crowd() as crowd:
        stage.link.share, stage.link.cut = 0.15, "after+before"
        crowd.until_written(stage.times(250, 4000), 240)
        stage.link.cut = ""
    cuts = dict(stage.link.cuts)
    promise(cuts["after"] >= 10 and cuts["before"] >= 10, f"too few cuts to prove anything: {cuts}")
    return f"{cuts['after']} answers of COMMIT swallowed, {cuts['before']} COMMITs cut off; {stage.holds()}"


class Stream(threading.Thread):
    """A client behind a proxy: sends one request after the other on a connection kept alive, opens no new one once the instance says that it
    is not ready, and goes when it is asked to."""

    def __init__(self, stage: Stage, closing: threading.Event):
        super().__init__(daemon=True)
        self.stage, self.closing, self.answered, self.failed, self.statuses = stage, closing, 0, [], {}

    def run(self) -> None:
        caller, headers = self.stage.service.caller(), self.stage.service.bearer("coordinator")
        while True:
            # One that was ended while nothing was under way is no failure, for a proxy neither.
            if caller.connection is not None and caller.was_ended():
                caller.close()
            if caller.connection is None and self.closing.is_set():
                return
            try:
                answer = caller.request("GET", "agencies?limit=5", None, headers)
            except Lost as error:
                self.failed.append(str(error))
                return
            self.answered += 1
            self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1


def terminated(stage: Stage) -> str:
    """SIGTERM under load: readiness goes first, what was taken is answered, writes too; then the process ends by itself."""
    answered = 0
    slowest = 0.0
    for _ in range(stage.times(2, 10)):
        closing = threading.Event()
        streams = [Stream(stage, closing) for _ in range(8)]
        for stream in streams:
            stream.start()
        time.sleep(0.5)
        # A batch that has begun: its body is still on its way when the signal comes.
        slow = threading.Thread(target=_slow_batch, args=(stage, results := []), daemon=True)
        slow.start()
        time.sleep(0.2)
        stage.service.terminate()
        until("readiness goes first", lambda: stage.service.status("/readyz") == 503, 2, 0.01)
        promise(stage.service.status("/healthz") == 200, "not ready, and already gone")
        closing.set()
        slowest = max(slowest, until("the process ends", lambda: stage.service.child.poll() is not None, 25))
        promise(stage.service.child.returncode == 0, f"it ended with {stage.service.child.returncode}")
        for stream in streams:
            stream.join(10)
            promise(not stream.failed, f"a request in flight failed: {stream.failed}")
            promise(set(stream.statuses) <= {200}, f"answers under SIGTERM: {stream.statuses}")
            answered += stream.answered
        slow.join(10)
        promise(results == [200], f"a batch that had begun was answered {results}")
        stage.service.start()
    return f"{answered:,} requests, none failed; gone {slowest:.1f} s after the signal at the latest"


def _slow_batch(stage: Stage, results: list) -> None:
    import http.client

    headers = stage.service.bearer("client:vnpt") | {"Content-Type": "text/csv"}
    connection = http.client.HTTPConnection("127.0.0.1", stage.service.port, timeout=30)
    columns = "agency,service,channel,received,resolved_early,resolved_on_time,resolved_late,withdrawn,carried_in,in_progress_on_time,in_progress_overdue"
    agency, service = stage.cluster.rows(
        "select a.code, s.code from service_agencies sa join agencies a on a.id = sa.agency_id join services s on s.id = sa.service_id "
        "where a.dossier_source = 'vnpt' order by 1, 2 limit 1"
    )[0]
    body = f"{columns}\n{agency},{service},online,1,0,1,0,0,0,0,0\n".encode()
    try:
        connection.putrequest("PUT", "/api/v1/dossier-batches/vnpt/2016-05?rows=1&received=1")
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders()
        for byte in (body[:20], body[20:60], body[60:]):
            connection.send(byte)
            time.sleep(0.4)
        results.append(connection.getresponse().status)
    except OSError as error:
        results.append(str(error))
    finally:
        connection.close()
