"""A standby that commits wait for, and that takes over when the primary is killed."""

import subprocess
from pathlib import Path

from .cluster import Cluster, as_server
from .common import promise, run, until
from .stage import Stage

ROUNDS = 2


def promotion(binary: Path, home: Path, writers: int) -> str:
    """The primary is killed under writers, the standby promoted: everything acknowledged is there."""
    told = []
    for turn in range(ROUNDS):
        place = home / str(turn)
        place.mkdir(mode=0o755, parents=True)
        home.chmod(0o755)
        stage = Stage(binary, place, writers, long=False)
        standby = Cluster(place, "standby")
        try:
            told.append(_promoted(stage, standby))
        finally:
            standby.stop("immediate")
            stage.close()
    return "; ".join(told)


def _promoted(stage: Stage, standby: Cluster) -> str:
    primary = stage.cluster
    standby.data.mkdir(mode=0o700)
    standby.own(standby.data)
    source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
    run(*as_server([primary.bin / "pg_basebackup", "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "-d", source]), cwd="/")
    standby.start()
    until("the standby streams", lambda: primary.query("select count(*) from pg_stat_replication where state = 'streaming'") == "1")
    primary.query("alter system set synchronous_standby_names = 'FIRST 1 (standby)'")
    primary.query("select pg_reload_conf()")
    until("commits wait for it", lambda: primary.query("select count(*) from pg_stat_replication where sync_state = 'sync'") == "1")
    with stage.crowd() as crowd:
        crowd.until_written(150)
        primary.kill()
        subprocess.run(
            as_server([standby.bin / "pg_ctl", "promote", "-w", "-s", "-D", standby.data]),
            cwd="/", check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        # What a virtual address does where there is one: the same name leads to the other machine.
        stage.link.target = standby.port
        stage.cluster = standby
        ready = until("the service is ready on the new primary", lambda: stage.service.status("/readyz") == 200)
        crowd.until_written(100)
    promise(standby.query("select pg_is_in_recovery()") == "f", "the standby was not promoted")
    try:
        return f"ready {ready:.1f} s after the promotion; {stage.holds()}"
    finally:
        stage.cluster = primary
