"""The private PostgreSQL of the bench: durable as in production, with memory for its size."""

import json
import subprocess

from .settings import ROOT, run

PLACE = ROOT / "target" / "pg-bench"
SCRIPT = ROOT / "scripts" / "postgres.sh"


def _memory_mb() -> int:
    with open("/proc/meminfo", encoding="ascii") as lines:
        return int(next(line for line in lines if line.startswith("MemTotal")).split()[1]) // 1024


def _settings() -> dict[str, str]:
    buffers = max(128, min(4096, _memory_mb() // 4))
    return {
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{buffers * 2}MB",
        "maintenance_work_mem": "256MB",
        # 64 connections of pgbench beside the service's, a second instance's and a rival's.
        "max_connections": "300",
        "max_wal_size": "8GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        # A round is short: autovacuum must not fall into one contender's and not into another's.
        "autovacuum": "off",
    }


class Server:
    """Started and stopped by scripts/postgres.sh; fsync stays on."""

    def start(self) -> None:
        run(SCRIPT, "start", PLACE, stdout=None, stderr=None)
        wanted = _settings()
        server = Database(self, "postgres")
        now = dict(row.split("|") for row in server.query("select name, current_setting(name) from pg_settings").split("\n"))
        if all(now[name] == value or _same(now[name], value) for name, value in wanted.items()):
            return
        for name, value in wanted.items():
            server.query(f"alter system set {name} = '{value}'")
        run(SCRIPT, "stop", PLACE)
        run(SCRIPT, "start", PLACE, stdout=None, stderr=None)

    def stop(self) -> None:
        run(SCRIPT, "stop", PLACE)

    def version(self) -> str:
        return Database(self, "postgres").query("show server_version")

    def url(self, name: str) -> str:
        return run(SCRIPT, "url", PLACE, name).strip()

    def program(self, name: str) -> str:
        """pgbench and psql of the running server's own version."""
        version = Database(self, "postgres").query("show server_version_num")
        places = (f"/usr/lib/postgresql/{int(version) // 10000}/bin", f"/usr/pgsql-{int(version) // 10000}/bin")
        found = [f"{place}/{name}" for place in places if run("sh", "-c", f"command -v {place}/{name} || true")]
        return found[0] if found else name


def _same(left: str, right: str) -> bool:
    units = {"MB": 1, "GB": 1024}
    sizes = [int(text[:-2]) * units[text[-2:]] for text in (left, right) if text[-2:] in units]
    return len(sizes) == 2 and sizes[0] == sizes[1]


class Database:
    """One database of the server, asked through psql."""

    def __init__(self, server: Server, name: str):
        self.server, self.name, self.url = server, name, server.url(name)

    def query(self, text: str, **variables: object) -> str:
        """Rows as lines, columns separated by `|`."""
        chosen = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *chosen, self.url, input=text).strip()

    def script(self, path, **variables: object) -> str:
        chosen = [part for name, value in variables.items() for part in ("-v", f"{name}={value}")]
        return run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *chosen, "-f", path, self.url).strip()

    def json(self, text: str):
        """The one value of a query that makes JSON."""
        return json.loads(self.query(text) or "null")

    def copy_in(self, commands: list[str], path) -> None:
        """Commands of one session, one of which copies from standard input."""
        texts = [part for command in commands for part in ("-c", command)]
        with open(path, "rb") as body:
            run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", self.url, *texts, stdin=body)

    def copy_out(self, select: str) -> None:
        """Everything a query answers, to nowhere."""
        command = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", self.url, "-c", f"copy ({select}) to stdout (format csv)"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
