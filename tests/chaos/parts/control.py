"""The control: where commits do not wait for the disk the ledger must not hold, or it proves nothing."""

from pathlib import Path

from .common import promise
from .compare import compare
from .stage import Stage


def control(binary: Path, home: Path, writers: int) -> str:
    """`synchronous_commit=off` and a killed PostgreSQL: acknowledged writes must be found to be lost."""
    home.mkdir(mode=0o755)
    stage = Stage(binary, home, writers, long=False)
    try:
        stage.service.stop()
        stage.cluster.stop()
        # What is not flushed at commit is flushed this seldom.
        stage.cluster.set("synchronous_commit", "off")
        stage.cluster.set("wal_writer_delay", "10000")
        stage.cluster.start()
        stage.service.env["DATABASE_UNSAFE"] = "allow"
        stage.service.start()
        for _ in range(5):
            with stage.crowd() as crowd:
                crowd.until_written(60)
                stage.cluster.kill()
                # Those who wait for the database would only write what is known already.
                stage.service.kill()
                crowd.stop.set()
                stage.cluster.start()
                stage.service.start()
            found = compare(stage.ledger, stage.cluster, None)
            damage = {name: len(all_of_it) for name, all_of_it in found.all().items() if name in ("lost", "changed", "unaudited")}
            if damage.get("lost") or damage.get("changed"):
                return f"found, as it must be: {', '.join(f'{name} {n}' for name, n in damage.items())}"
        promise(False, "nothing was lost without synchronous commits: this harness proves nothing")
        return ""
    finally:
        stage.close()
