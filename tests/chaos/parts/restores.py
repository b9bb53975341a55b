"""Backups that were restored: what the ledger said at their moment is what is there again."""

import copy
import os
import shutil
from pathlib import Path

from .cluster import Cluster, as_server
from .common import ROOT, promise, run, until
from .compare import compare
from .ledger import Ledger
from .service import Service
from .stage import Stage


def _holds(ledger: Ledger, cluster: Cluster, service: Service | None, what: str) -> None:
    found = compare(ledger, cluster, service)
    promise(not found.all(), f"{what}: {found.all()}")


def restore(binary: Path, home: Path, writers: int) -> str:
    """A dump, and a copy of the cluster with its log, both taken while clients write; then everything is deleted by accident."""
    home.mkdir(mode=0o755)
    archive = home / "archive"
    archive.mkdir(mode=0o755)
    script = shutil.copy(ROOT / "scripts" / "pitr.sh", home / "pitr.sh")
    stage = Stage(binary, home, writers, long=False)
    stage.cluster.own(archive)
    try:
        return _restored(stage, binary, archive, Path(script))
    finally:
        stage.close()


def _restored(stage: Stage, binary: Path, archive: Path, script: Path) -> str:
    cluster = stage.cluster
    stage.service.stop()
    cluster.stop()
    cluster.set("archive_mode", "on")
    cluster.set("archive_command", f"{script} archive %p %f {archive}")
    cluster.start()
    stage.service.start()
    backups = stage.home / "backups"
    backups.mkdir(mode=0o755)
    cluster.own(backups)
    with stage.crowd() as crowd:
        crowd.until_written(60)
        server = {"env": os.environ | {"POSTGRES_BIN": str(cluster.bin)}, "cwd": "/"}
        base = run(*as_server([script, "base", cluster.url, backups]), **server).split()[-1]
        crowd.until_written(100)
    # Everyone has finished: the ledger of this moment.
    then = copy.deepcopy({name: value for name, value in vars(stage.ledger).items() if name != "_lock"})
    ledger = Ledger()
    vars(ledger).update(then)
    moment = cluster.query("select pg_sleep(0.05), clock_timestamp()").split("|")[1]
    dump = run(ROOT / "scripts" / "backup.sh", stage.home / "dumps", env=os.environ | {"DATABASE_URL": cluster.url}).split()[-1]
    with stage.crowd() as crowd:
        crowd.until_written(60)
    cluster.query("drop table submission_values, task_updates cascade")
    segment = cluster.query("select pg_walfile_name(pg_switch_wal())")
    until("the log is archived", (archive / segment).exists)
    failed = int(cluster.rows("select failed_count from pg_stat_archiver")[0][0])
    promise(failed == 0, f"{failed} attempts to archive a segment failed")
    _from_dump(stage, ledger, binary, dump)
    _from_log(stage, ledger, base, archive, script, moment, server)
    written = sum(register.acknowledged for kind in (ledger.submissions, ledger.agencies, ledger.batches) for register in kind.values())
    return f"dump and moment restored: {written + len(ledger.reports):,} acknowledged writes there, none of the later ones; {ledger.told()}"


def _from_dump(stage: Stage, ledger: Ledger, binary: Path, dump: str) -> None:
    stage.cluster.query("create database restored", database="postgres")
    restored = copy.copy(stage.cluster)
    restored.database = "restored"
    url = stage.cluster.url.replace("/ict_index", "/restored")
    environment = os.environ | {"DATABASE_URL": url, "BINARY": str(binary)}
    run(ROOT / "scripts" / "restore.sh", dump, env=environment)
    _holds(ledger, restored, None, "the dump")
    again = f'DATABASE_URL="{url}" {ROOT}/scripts/restore.sh {dump} >/dev/null 2>&1 && exit 1 || exit 0'
    run("bash", "-c", again)


def _from_log(stage: Stage, ledger: Ledger, base: str, archive: Path, script: Path, moment: str, server: dict) -> None:
    restored = Cluster(stage.home, "restored")
    restored.data.mkdir(mode=0o700)
    restored.own(restored.data)
    run(*as_server([script, "restore", base, archive, restored.data, moment]), **server)
    restored.start()
    # It answers readers before it has come to the moment; every login writes.
    until("the restored cluster opens for writing", lambda: restored.query("select pg_is_in_recovery()") == "f")
    service = Service(stage.service.binary, stage.home, restored.url)
    try:
        service.start()
        _holds(ledger, restored, service, f"the moment {moment}")
    finally:
        service.stop()
        restored.stop("immediate")
