"""Real hubs for the tests: `manage.py runhub` as a program of its own, on a database of the test's.

A `Store` is such a database, migrated, and spoken to past the hub; a `Hub` serves it, and may be
killed and started again on the same port. Nothing of the environment that the tests run in reaches
a hub but through `options`.

Knows nothing of pytest.
"""

from __future__ import annotations

import atexit
import copy
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from devices.models import Device
from devices.tokens import draw
from tests.forks import MANAGE, Started, run, start
from tests.servers import free_port

DEADLINE_S = 60.0
"""For anything to become true: some seconds on an idle machine."""

LOOK_S = 0.02


def wait_until(true: Callable[[], object], what: str, within_s: float = DEADLINE_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline_s, f"waited {within_s} s in vain: {what}"
        time.sleep(LOOK_S)


class Answer(NamedTuple):
    """What came back over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Store:
    """A migrated database of a test's own; `url` is its DATABASE_URL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")

    @classmethod
    def migrated(cls, url: str) -> Self:
        manage(url, "migrate", "--verbosity", "0")
        return cls(url)

    def copy(self, folder: Path) -> Store:
        """Another that is as this one is now; nobody may be connected. You are to drop it."""
        if self.is_sqlite:
            shutil.copy(self.url.removeprefix("sqlite:///"), folder / "weir.sqlite3")
            return Store(f"sqlite:///{folder / 'weir.sqlite3'}")
        parts = urlsplit(self.url)
        name = f"weir_test_{random.randbytes(6).hex()}"
        server = parts._replace(path="/postgres").geturl()
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(parts.path.removeprefix("/"))
                )
            )
        return Store(parts._replace(path=f"/{name}").geturl())

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement, with %s for values, and commit it; its rows, if it has any."""
        if self.is_sqlite:
            path = self.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=10)) as database, database:
                return database.execute(
                    query.replace("%s", "?"), [_for_sqlite(value) for value in values]
                ).fetchall()
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def number(self, query: str, *values: Any) -> int:
        return int(self.rows(query, *values)[0][0])

    def readings(self) -> int:
        return self.number("SELECT count(*) FROM ingest_reading")

    def values_of(self, uid: str) -> list[float]:
        """All numbers that a device has stored, in their order."""
        rows = self.rows(
            "SELECT r.value FROM ingest_reading r JOIN devices_series s ON s.id = r.series_id"
            " WHERE s.device_id = %s ORDER BY r.value",
            self.device_id(uid),
        )
        return [value for (value,) in rows]

    def add_device(self, uid: str, *, enabled: bool = True, **token: datetime) -> str:
        """A new device, or a new token of one that is there; `token` sets the token's times."""
        now = datetime.now(UTC)
        if not self.rows("SELECT 1 FROM devices_device WHERE uid = %s", uid):
            self.rows(
                "INSERT INTO devices_device (uid, name, enabled, tags, created_at)"
                " VALUES (%s, '', %s, '[]', %s)",
                *(uid, enabled, now),
            )
        made, text = draw(Device(id=self.device_id(uid)))
        times: dict[str, datetime | None] = dict.fromkeys(
            ["not_before", "expires_at", "revoked_at"]
        )
        times.update(token)
        self.rows(
            "INSERT INTO devices_token (device_id, label, prefix, digest, created_at, not_before,"
            " expires_at, revoked_at) VALUES (%s, '', %s, %s, %s, %s, %s, %s)",
            *(made.device_id, made.prefix, made.digest, now, *times.values()),
        )
        return text

    def device_id(self, uid: str) -> int:
        return self.number("SELECT id FROM devices_device WHERE uid = %s", uid)

    def write_tokens(self, path: Path, uids: Sequence[str]) -> Path:
        """Devices of these uids, with their tokens in a file as simulators read it."""
        lines = [json.dumps({"uid": uid, "token": self.add_device(uid)}) + "\n" for uid in uids]
        path.write_text("".join(lines))
        return path


class Hub:
    """One hub on `store`; its files, its log among them, are in `folder`."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        redis_url: str = "",
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.store = store
        self.port = free_port()
        share_compressed(folder)
        self.environment = environment(
            store.url, {"REDIS_URL": redis_url, "WEIR_DATA_DIR": folder, **(options or {})}
        )
        # What to start it by; `--port` and its number are put behind it.
        self.command = command("runhub")
        self._log = folder / f"hub-{self.port}.log"
        self._program: Started | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/ingest/"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def runs(self) -> bool:
        return self._program is not None and self._program.poll() is None

    @property
    def pid(self) -> int:
        assert self._program is not None
        return self._program.pid

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        self.launch()
        wait_until(self._answers, "the hub answers")
        return self

    def launch(self) -> None:
        """Start it, and do not wait."""
        assert not self.runs
        with self._log.open("ab") as log:
            program = [*self.command, "--port", str(self.port)]
            self._program = start(program, self.environment, log, log)

    def send(self, number: signal.Signals) -> None:
        assert self._program is not None
        self._program.send_signal(number)

    def kill(self) -> None:
        """As a power cut would, if it runs."""
        if self._program is not None:
            self._program.kill()
            self._program.wait()
            self._program = None

    def terminate(self) -> int:
        """As a supervisor would; its exit status, a negative signal number if it was killed."""
        self.send(signal.SIGTERM)
        return self.end()

    def end(self, within_s: float = DEADLINE_S) -> int:
        """Wait until it has ended by itself; its exit status."""
        assert self._program is not None
        try:
            return self._program.wait(within_s)
        finally:
            self.kill()

    def ask(
        self,
        path: str,
        body: str | bytes | None = None,
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        """One HTTP request: GET, or POST of a body; from the address `source` of this machine."""
        given = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=DEADLINE_S, source_address=(source, 0)
        )
        with closing(given) as connection:
            method = method or ("GET" if body is None else "POST")
            sent = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
            connection.request(method, path, sent, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    def figures(self) -> dict[str, float]:
        """What `/metrics` says, by name and labels as they stand there."""
        lines = self.ask("/metrics").body.splitlines()
        named = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
        return {name: float(value) for name, value in named}

    def _answers(self) -> bool:
        assert self.runs, f"the hub ended by itself:\n{self.log}"
        try:
            return self.ask("/healthz").status == 200
        except OSError:
            return False


class Hubs(Hub):
    """Several hubs of one `runhub --processes`: `port` is the first of their ports."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        processes: int,
        *,
        redis_url: str = "",
        options: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(store, folder, redis_url=redis_url, options=options)
        self.port = free_port(processes)
        self._log = folder / f"hubs-{self.port}.log"
        self.ports = range(self.port, self.port + processes)
        self.command += ["--processes", str(processes)]

    @property
    def each(self) -> list[Hub]:
        """Each hub by itself, to be asked; to start and to end it is not theirs who watch them."""
        found = [copy.copy(self) for _ in self.ports]
        for hub, port in zip(found, self.ports, strict=True):
            hub.port = port
        return list(found)

    def pid_of(self, port: int) -> int:
        """The program that serves a port now, or did last."""
        return int(re.findall(rf"hub on port {port}: started as process (\d+)", self.log)[-1])

    def _answers(self) -> bool:
        return all(Hub._answers(hub) for hub in self.each)


def share_compressed(folder: Path) -> None:
    """Give a hub whose files are in `folder` the scripts and styles that others compressed.

    That is half a second of a processor at the first start of each.
    """
    link = folder / "compressed"
    if not link.exists():
        link.symlink_to(_compressed(), target_is_directory=True)


@cache
def _compressed() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="weir-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def command(*arguments: str) -> list[str]:
    return [*MANAGE, *arguments]


def environment(database_url: str, options: Mapping[str, object]) -> dict[str, str]:
    """The tests' own environment, but for what sets up a hub."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WEIR_") and name not in {"DATABASE_URL", "REDIS_URL"}
    }
    given = {"DATABASE_URL": database_url, **options}
    return kept | {name: str(value) for name, value in given.items() if value != ""}


def manage(
    database_url: str, *arguments: str, check: bool = True, within_s: float = 4 * DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    """Run a command of `manage.py` to its end."""
    ended = run(arguments, environment(database_url, {}), within_s)
    assert not check or ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended


def _for_sqlite(value: Any) -> Any:
    """A moment as Django keeps it there."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return value
