"""The same three endpoints by other hands: FastAPI and Fastify, from their registries at pinned versions."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from .database import Database
from .service import Process, environment, free_port
from .settings import BENCHES, WORK, NotThere, Settings, run, say

SOURCES = BENCHES / "rivals"
INSTALL_SECONDS = 180


def _installed(place: Path, mark: str) -> bool:
    stamp = place / "installed"
    return stamp.exists() and stamp.read_text(encoding="ascii") == mark


def _mark(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def fastapi(database: Database) -> Process:
    """FastAPI, asyncpg, uvicorn with uvloop and httptools, two workers."""
    place, wanted = WORK / "rivals" / "fastapi", SOURCES / "fastapi" / "requirements.txt"
    mark = _mark(wanted)
    if not _installed(place, mark):
        say("installing FastAPI from PyPI")
        shutil.rmtree(place, ignore_errors=True)
        run(sys.executable, "-m", "venv", place)
        run(place / "bin" / "pip", "install", "--quiet", "-r", wanted, timeout=INSTALL_SECONDS)
        (place / "installed").write_text(mark, encoding="ascii")
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", port, "--workers", 2, "--loop", "uvloop", "--http", "httptools"]
    quiet = ["--no-access-log", "--log-level", "warning"]
    command = [place / "bin" / "uvicorn", "app:app", "--app-dir", SOURCES / "fastapi", *options, *quiet]
    return Process("fastapi", command, environment(database), port, "/healthz")


def fastify(database: Database) -> Process:
    """Fastify and pg, a cluster of two."""
    place, source = WORK / "rivals" / "fastify", SOURCES / "fastify"
    files = [source / "package.json", source / "package-lock.json"]
    mark = _mark(*files)
    if not _installed(place, mark):
        if not shutil.which("npm"):
            raise NotThere("npm is missing")
        say("installing Fastify from npm")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for file in files:
            shutil.copy(file, place)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", cwd=place, timeout=INSTALL_SECONDS)
        (place / "installed").write_text(mark, encoding="ascii")
    shutil.copy(source / "server.js", place)
    port = free_port()
    return Process("fastify", ["node", place / "server.js"], environment(database) | {"PORT": str(port)}, port, "/healthz")


class Rivals:
    """Those that could be installed and started, and why not of the others."""

    KNOWN: ClassVar = {"FastAPI": fastapi, "Fastify": fastify}

    def __init__(self, settings: Settings, database: Database):
        self.running: dict[str, Process] = {}
        self.missing: dict[str, str] = {}
        for name, start in self.KNOWN.items():
            if not settings.with_rivals:
                self.missing[name] = "BENCH_RIVALS=no"
                continue
            try:
                self.running[name] = start(database)
            except (NotThere, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                self.missing[name] = str(error)
                say(f"without {name}: {error}")

    def stop(self) -> None:
        for process in self.running.values():
            process.stop()
