"""A PostgreSQL of one's own that is as durable as in production, and can be killed."""

import glob
import os
import pwd
import signal
import subprocess
from pathlib import Path

from .common import free_port, run, until

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_min_messages": "warning",
}


def programs() -> Path:
    """Of the newest PostgreSQL that is installed; POSTGRES_BIN names another."""
    if os.environ.get("POSTGRES_BIN"):
        return Path(os.environ["POSTGRES_BIN"])
    found = [*glob.glob("/usr/lib/postgresql/*/bin"), *glob.glob("/usr/pgsql-*/bin")]
    numbered = sorted(found, key=lambda path: int("".join(c for c in path if c.isdigit())))
    if not numbered:
        raise RuntimeError("PostgreSQL's server programs are missing; scripts/postgres.sh start DIR installs them")
    return Path(numbered[-1])


def as_server(command: list[object]) -> list[str]:
    """PostgreSQL does not run as root."""
    text = [str(part) for part in command]
    if os.geteuid() != 0:
        return text
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--", "env", "HOME=/", *text]


class Cluster:
    """One server with one database, `ict_index`."""

    def __init__(self, home: Path, name: str = "primary", **settings: str):
        self.bin, self.data, self.log = programs(), home / name, home / f"{name}.log"
        self.database = "ict_index"
        self.port, self.settings = free_port(), SETTINGS | settings
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/ict_index"

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)

    def create(self) -> None:
        self.data.mkdir(mode=0o700)
        self.own(self.data)
        self.program("initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync")
        self.start()
        self.query("create database ict_index", database="postgres")

    def program(self, name: str, *arguments: object) -> str:
        return run(*as_server([self.bin / name, *arguments]), cwd="/")

    def start(self) -> None:
        """Waits until it takes connections: after a crash, until it has recovered."""
        self.log.touch()
        self.own(self.log)
        options = " ".join(f"-c {name}='{value}'" for name, value in self.settings.items())
        command = as_server([self.bin / "pg_ctl", "start", "-w", "-t", "120", "-s", "-D", self.data, "-l", self.log, "-o", f"{options} -p {self.port}"])
        # A pipe would be inherited and kept open by the server.
        subprocess.run(command, cwd="/", check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, mode: str = "fast") -> None:
        if (self.data / "postmaster.pid").exists():
            subprocess.run(
                as_server([self.bin / "pg_ctl", "stop", "-w", "-s", "-D", self.data, "-m", mode]),
                cwd="/", check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )

    def kill(self) -> None:
        """SIGKILL to the postmaster and to every process of it: nobody has time to write anything."""
        pid = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        children = [int(word) for word in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()]
        os.kill(pid, signal.SIGKILL)
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until("the killed server is gone", lambda: not any(Path(f"/proc/{one}").exists() and not _zombie(one) for one in [pid, *children]))
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def query(self, text: str, database: str = "") -> str:
        """Rows as lines, columns separated by `|`."""
        url = f"postgres://postgres@127.0.0.1:{self.port}/{database or self.database}"
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", url, "-c", text).strip()

    def rows(self, text: str) -> list[list[str]]:
        return [line.split("|") for line in self.query(text).splitlines()]

    def session(self, text: str) -> subprocess.Popen:
        """A session that runs the statements, prints `there`, and stays until its input is closed."""
        session = subprocess.Popen(["psql", "-XAtq", self.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        session.stdin.write(f"{text}\n\\echo there\n")
        session.stdin.flush()
        while (line := session.stdout.readline()).strip() != "there":
            if not line:
                raise RuntimeError("a session of psql ended")
        return session

    def set(self, name: str, value: str) -> None:
        """From the next start on."""
        self.settings[name] = value


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
