"""A machine of the cluster: etcd, and Patroni with its PostgreSQL, configured by docs/ha/patroni.yml."""

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path

from network import CLIENTS, NODES, PEERS, address, inside
from parts.cluster import as_server, programs
from parts.common import ROOT, promise, run, until

PASSWORDS = {
    "PATRONI_SUPERUSER_USERNAME": "postgres", "PATRONI_SUPERUSER_PASSWORD": "nui fansipan 3143", "PATRONI_REPLICATION_USERNAME": "replicator",
    "PATRONI_REPLICATION_PASSWORD": "song hong 1149",
}
# What scripts/database-roles.sql reads from files.
LOGINS = {"owner_password": "deo o quy ho 2035", "service_password": "bac ha cho phien"}
WAL_MIB = 384


class Node:
    def __init__(self, number: int, home: Path):
        self.number, self.name, self.home = number, f"node{number}", home / f"node{number}"
        self.data, self.wal = self.home / "data", self.home / "wal" / "pg_wal"
        self.etcd = self.patroni = None

    def make(self) -> None:
        """Its own disk, and a small one for the log of PostgreSQL: in memory, because three machines do not share one disk with whatever else is
        at work here. What is killed are processes, so nothing written is lost with them."""
        self.home.mkdir(mode=0o755)
        run("mount", "-t", "tmpfs", "-o", "size=2g,mode=0755", "tmpfs", self.home)
        (self.home / "wal").mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={WAL_MIB}m,mode=0777", "tmpfs", self.home / "wal")
        (self.home / "etcd").mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=128m,mode=0777", "tmpfs", self.home / "etcd")
        source = ROOT / "docs" / "ha"
        settings = (source / "patroni.yml").read_text(encoding="utf-8").replace("/etc/patroni/", f"{self.home}/").replace("/tmp/patroni.pgpass", f"{self.home}/pgpass")
        # The log has a directory of its own, and no server shares the directory of another's socket.
        settings = settings.replace("    - encoding: UTF8\n", f"    - waldir: {self.wal}\n    - encoding: UTF8\n")
        settings = settings.replace("        max_connections: 120\n", "        max_connections: 120\n        max_wal_size: 128MB\n")
        local = f"  basebackup:\n    - waldir: {self.wal}\n    - checkpoint: fast\n  parameters:\n    unix_socket_directories: {self.home}\n"
        settings = settings.replace("\npostgresql:\n", f"\npostgresql:\n{local}")
        (self.home / "patroni.yml").write_text(settings, encoding="utf-8")
        for file in (source / "post-init.sh", source / "patroni-run.py", ROOT / "scripts" / "database-roles.sql"):
            (self.home / file.name).write_bytes(file.read_bytes())
            (self.home / file.name).chmod(0o755)
        for name, password in LOGINS.items():
            (self.home / name).write_text(password, encoding="utf-8")
            (self.home / name).chmod(0o600)
        run("chown", "-R", "postgres:postgres", self.home)

    # --- processes ---

    def _run(self, name: str, command: list[str], **env: str) -> subprocess.Popen:
        with open(self.home / f"{name}.log", "ab") as log:
            assignments = [f"{key}={value}" for key, value in env.items()]
            wrapped = inside(self.number, as_server(["env", *assignments, *command]))
            return subprocess.Popen(wrapped, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start_etcd(self) -> None:
        peers, here = {n: f"http://{address(n, PEERS)}:2380" for n in NODES}, address(self.number, PEERS)
        self.etcd = self._run("etcd", [
            "etcd", "--name", self.name, "--data-dir", str(self.home / "etcd" / "data"), "--logger", "zap", "--log-level", "warn",
            "--listen-peer-urls", peers[self.number], "--initial-advertise-peer-urls", peers[self.number],
            "--listen-client-urls", f"http://{here}:2379", "--advertise-client-urls", f"http://{here}:2379",
            "--initial-cluster", ",".join(f"node{n}={url}" for n, url in peers.items()), "--initial-cluster-state", "new",
            # docs/ha/patroni.yml says why.
            "--enable-v2=true", "--pre-vote=true",
            "--heartbeat-interval", "100", "--election-timeout", "1000",
        ])

    def start_patroni(self) -> None:
        here = address(self.number, PEERS)
        self.patroni = self._run(
            "patroni", ["/usr/bin/python3", str(self.home / "patroni-run.py"), str(self.home / "patroni.yml")], **PASSWORDS, ICT_INDEX_SECRETS=str(self.home), PATRONI_NAME=self.name,
            PATRONI_RESTAPI_CONNECT_ADDRESS=f"{here}:8008", PATRONI_POSTGRESQL_CONNECT_ADDRESS=f"{here}:5432",
            PATRONI_POSTGRESQL_DATA_DIR=str(self.data), PATRONI_POSTGRESQL_BIN_DIR=str(programs()),
            PATRONI_ETCD_HOSTS=",".join(f"'{address(n, PEERS)}:2379'" for n in NODES),
        )

    def postmaster(self) -> int:
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def kill_postgres(self) -> None:
        """SIGKILL to the postmaster and all its processes at once: none has time to write anything."""
        pid = self.postmaster()
        if not pid:
            return
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        for one in [pid, *map(int, children)]:
            _kill(one, signal.SIGKILL)

    def kill_patroni(self) -> None:
        for pid in _group(self.patroni.pid):
            _kill(pid, signal.SIGKILL)
        self.patroni.wait()

    def stop(self) -> None:
        if self.patroni and self.patroni.poll() is None:
            self.kill_patroni()
        self.kill_postgres()
        if self.etcd and self.etcd.poll() is None:
            for pid in _group(self.etcd.pid):
                _kill(pid, signal.SIGKILL)
            self.etcd.wait()
        try:
            until("PostgreSQL is gone", lambda: not self.postmaster() or not Path(f"/proc/{self.postmaster()}").exists(), 20)
        finally:
            for disk in (self.home / "wal", self.home / "etcd", self.home):
                subprocess.run(["umount", "-l", str(disk)], check=False, stderr=subprocess.DEVNULL)

    # --- what it says ---

    def request(self, path: str, network: str = CLIENTS) -> tuple[int, object]:
        """(status, answer) of Patroni; 0: none."""
        try:
            with urllib.request.urlopen(f"http://{address(self.number, network)}:8008{path}", timeout=1) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, None
        except (OSError, ValueError):
            return 0, None

    def leads(self) -> bool:
        return self.request("/primary")[0] == 200

    # --- what its log holds ---

    def commits_after(self, timeline: int, lsn: int) -> list[datetime]:
        """Times of the commits in its log of a timeline beyond a position. They were never acknowledged; after another leads there must be none."""
        # The segment that holds it, and the last there is; segments that are ready for use again end the reading.
        first = f"{timeline:08X}{lsn >> 32:08X}{(lsn & 0xFFFFFFFF) >> 24:08X}"
        last = max(file.name for file in self.wal.glob(f"{timeline:08X}" + "?" * 16))
        command = as_server([programs() / "pg_waldump", f"--path={self.wal}", "--rmgr=Transaction", first, last])
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env={**os.environ, "TZ": "UTC"})
        found = re.findall(r"lsn: ([0-9A-F]+)/([0-9A-F]+),.*COMMIT (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC", done.stdout)
        promise(bool(found), f"{self.name}'s log cannot be read: {done.stderr.strip()}")
        return [datetime.fromisoformat(f"{at}+00:00") for high, low, at in found if int(high, 16) << 32 | int(low, 16) >= lsn]

    def fill_wal(self) -> Path:
        """Fills the disk of its log."""
        filler = self.home / "wal" / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass
        return filler


def _group(pid: int) -> list[int]:
    """A process that was started here and everything in its session."""
    return [int(word) for word in subprocess.run(["pgrep", "-s", str(pid)], capture_output=True, text=True, check=False).stdout.split()] or [pid]


def _kill(pid: int, how: int) -> None:
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass
