"""Starts what is measured, pinned to its core, and waits until it answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Self

from benchmarks import ROOT, Trouble
from benchmarks.databases import Database
from benchmarks.machine import pinned
from tests.servers import UVICORN, free_port

START_S: Final = 60.0
STOP_S: Final = 60.0


class Server:
    """A server program on the server's core, for as long as the context lasts."""

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: dict[str, str],
        database: Database,
        processes: int = 1,
    ) -> None:
        """`processes` listen on the port and those that follow it."""
        self.name = name
        self.port = free_port(processes)
        self.ports = range(self.port, self.port + processes)
        self.log = database.run / f"{name}.log"
        self._command = [part.format(port=self.port) for part in arguments]
        self._environment = environment
        self._core = database.cores.server
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        return [f"ws://127.0.0.1:{port}/ws/ingest/" for port in self.ports]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid  # `taskset` becomes the program it starts

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                pinned(self._core, [sys.executable, *self._command]),
                env=self._environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        deadline_s = time.monotonic() + START_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise Trouble(f"The {self.name} does not start:\n{self.said()}")
            time.sleep(0.05)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it as an operator would, and wait."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise Trouble(f"The {self.name} did not stop:\n{self.said()}") from None

    def said(self) -> str:
        return Path(self.log).read_text(errors="replace")[-3000:]

    def _listens(self) -> bool:
        return all(map(_is_open, self.ports))


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def hub(database: Database, grace_s: float) -> Server:
    """Weir, with its defaults but for the grace of sealing."""
    environment = database.environment(database.hub_url, seal_grace_s=grace_s)
    return Server("hub", ["manage.py", "runhub", "--port", "{port}"], environment, database)


def hubs(database: Database, grace_s: float, processes: int, redis_url: str) -> Server:
    """So many of one `runhub --processes`."""
    environment = database.environment(database.hub_url, seal_grace_s=grace_s)
    command = ["manage.py", "runhub", "--port", "{port}", "--processes", str(processes)]
    return Server("hubs", command, environment | {"REDIS_URL": redis_url}, database, processes)


def hub_by_uvicorn(database: Database, grace_s: float) -> Server:
    """The same application by the other server, with uvloop and httptools."""
    environment = database.environment(database.hub_url, seal_grace_s=grace_s)
    command = [*UVICORN, "--port", "{port}"]
    return Server("hub by uvicorn", command, environment, database)


def usual(database: Database) -> Server:
    settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.usual.settings"}
    return Server(
        "usual consumer",
        ["-m", "daphne", "-p", "{port}", "-v", "0", "benchmarks.usual.asgi:application"],
        database.environment(database.usual_url) | settings,
        database,
    )
