"""The databases of a run: made once with millions of readings, kept, and copied for a round.

    var/bench/kept/ENGINE-READINGS-SCHEMA/    hub.sqlite3, usual.sqlite3, or stored/
    var/bench/run/                            the copy that is being worked on

The usual project's tables are filled by SQL, to the same number of rows. PostgreSQL is a private
server on the server's core, with its default settings.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import psycopg

from benchmarks import ROOT, Trouble
from benchmarks.machine import Cores, pinned
from tests.servers import Postgres, find_postgres

BENCH: Final = ROOT / "var" / "bench"
LOGIN: Final = ("bench", "only-on-loopback")


class Database(ABC):
    """One engine's databases. As a context, the copies for a run and what serves them."""

    name: str
    title: str

    def __init__(self, readings: int, cores: Cores, say: Callable[[str], None]) -> None:
        self.readings = readings
        self.cores = cores
        self.say = say
        self.kept = BENCH / "kept" / f"{self.name}-{readings}-{_schema()}"
        self.tokens = self.kept / "tokens"
        self.run = BENCH / "run"

    @property
    @abstractmethod
    def hub_url(self) -> str: ...

    @property
    @abstractmethod
    def usual_url(self) -> str: ...

    @abstractmethod
    def keep(self) -> None:
        """Make what is kept, in `self.kept`, which is empty."""

    @abstractmethod
    def start(self) -> None:
        """Copy what is kept to `self.run`, and serve it."""

    @abstractmethod
    def stop(self) -> None:
        """End the server; the copy goes."""

    @property
    def roots(self) -> tuple[int, ...]:
        """Processes of the server, whose trees count as the server's work."""
        return ()

    def checkpoint(self) -> None:  # noqa: B027 (SQLite does it when a connection ends)
        """Write out what only waits to be written, so that it is counted where it was caused."""

    def __enter__(self) -> Self:
        BENCH.mkdir(parents=True, exist_ok=True)
        self._claim = (BENCH / "lock").open("w")
        try:
            fcntl.flock(self._claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"Another benchmark is working in {BENCH}.") from None
        if not (self.kept / "complete").exists():
            for outdated in BENCH.glob(f"kept/{self.name}-{self.readings}-*"):
                shutil.rmtree(outdated)
            self.kept.mkdir(parents=True)
            self.say(f"making a database on {self.title} with {self.readings:,} readings, kept")
            self.keep()
            (self.kept / "complete").touch()
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(parents=True)
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        shutil.rmtree(self.run, ignore_errors=True)
        self._claim.close()

    def environment(self, url: str, **options: object) -> dict[str, str]:
        """The environment of a server or of a program of ours, none of it this shell's own."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "DATABASE_URL"))}
        ours.pop("REDIS_URL", None)
        ours.pop("DJANGO_SETTINGS_MODULE", None)
        return ours | {
            "DATABASE_URL": url,
            "WEIR_DATA_DIR": str(self.kept),
            "DJANGO_SUPERUSER_PASSWORD": LOGIN[1],
            **{f"WEIR_{name.upper()}": str(value) for name, value in options.items()},
        }

    def _fill(self, hub_url: str, usual_url: str) -> None:
        run(
            [sys.executable, "-m", "benchmarks.fill", str(self.readings), str(self.tokens)],
            self.environment(hub_url),
        )
        settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.usual.settings"}
        run(
            [sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0"],
            self.environment(usual_url) | settings,
        )


class Sqlite(Database):
    name = "sqlite"
    title = "SQLite"

    @property
    def hub_url(self) -> str:
        return f"sqlite:///{self.run / 'hub.sqlite3'}"

    @property
    def usual_url(self) -> str:
        return f"sqlite:///{self.run / 'usual.sqlite3'}"

    def keep(self) -> None:
        usual = self.kept / "usual.sqlite3"
        self._fill(f"sqlite:///{self.kept / 'hub.sqlite3'}", f"sqlite:///{usual}")
        numbers = (
            "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL"
            f" SELECT n + 1 FROM c WHERE n < {self.readings}) SELECT n FROM c)"
        )
        with sqlite3.connect(usual) as db:
            db.execute(_usual_rows(self.readings, "'2026-01-01 00:00:00'", numbers))
        db.close()

    def start(self) -> None:
        for name in ("hub.sqlite3", "usual.sqlite3"):
            shutil.copyfile(self.kept / name, self.run / name)
        os.sync()

    def stop(self) -> None:
        """There is no server."""


class _KeptPostgres(Postgres):
    """A private server on a copy of a data folder, or on a new one, on the server's core."""

    def __init__(self, programs: Path, core: int, stored: Path | None) -> None:
        self._core = core
        self._stored = stored
        super().__init__(programs)

    def command(self) -> list[str]:
        return pinned(self._core, super().command())

    def _initdb(self) -> None:
        if self._stored is None:
            super()._initdb()
            return
        copy(self._stored, self.folder / "stored")
        self.password = (self._stored.parent / "password").read_text()

    @property
    def pid(self) -> int:
        return int((self.folder / "stored" / "postmaster.pid").read_text().splitlines()[0])


class Postgresql(Database):
    name = "postgresql"
    title = "PostgreSQL"
    _server: _KeptPostgres | None = None

    @property
    def hub_url(self) -> str:
        return self._url("hub")

    @property
    def usual_url(self) -> str:
        return self._url("usual")

    def _url(self, database: str) -> str:
        assert self._server is not None
        return urlsplit(self._server.url)._replace(path=f"/{database}").geturl()

    @property
    def roots(self) -> tuple[int, ...]:
        assert self._server is not None
        return (self._server.pid,)

    def checkpoint(self) -> None:
        with psycopg.connect(self.hub_url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def keep(self) -> None:
        with _KeptPostgres(_programs(), self.cores.server, None) as self._server:
            with psycopg.connect(self._server.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE hub")
                connection.execute("CREATE DATABASE usual")
            self._fill(self.hub_url, self.usual_url)
            numbers = f"generate_series(1::bigint, {self.readings}) n"
            with psycopg.connect(self.usual_url, autocommit=True) as connection:
                connection.execute(_usual_rows(self.readings, "timestamptz '2026-01-01Z'", numbers))
                connection.execute("VACUUM ANALYZE")
            with psycopg.connect(self.hub_url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
            (self.kept / "password").write_text(self._server.password)
            self._server.stop()
            copy(self._server.folder / "stored", self.kept / "stored")

    def start(self) -> None:
        self._server = _KeptPostgres(_programs(), self.cores.server, self.kept / "stored")
        os.sync()
        self._server.__enter__()

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()


DATABASES: Final[dict[str, type[Database]]] = {"sqlite": Sqlite, "postgresql": Postgresql}


def copy(source: Path, target: Path) -> None:
    """A folder with its owners and modes, which `shutil` does not keep."""
    subprocess.run(["cp", "--archive", str(source), str(target)], check=True)


def run(command: list[str], environment: dict[str, str]) -> str:
    """What a program of ours printed; Trouble where it failed."""
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Trouble(f"`{' '.join(command)}` failed:\n{done.stderr[-3000:]}")
    return done.stdout


def _usual_rows(readings: int, time: str, numbers: str) -> str:
    # By device, so that the index grows at its end.
    return (
        "INSERT INTO usual_sensorreading (device, metric, value, time)"
        f" SELECT 'sensor-' || (20000 + n * 1000 / {readings}), 'temperature', 21.5, {time}"
        f" FROM {numbers}"
    )


def _programs() -> Path:
    programs = find_postgres()
    if programs is None:
        raise Trouble("PostgreSQL is not installed; `--engine sqlite` leaves it out.")
    return programs


def _schema() -> str:
    """Changes with the tables, and with what fills them."""
    files = [*ROOT.glob("*/migrations/0*.py"), *(ROOT / "benchmarks").glob("**/models.py")]
    files.append(ROOT / "benchmarks" / "fill.py")
    together = b"".join(path.read_bytes() for path in sorted(files))
    return hashlib.sha256(together).hexdigest()[:8]
