"""The database cannot be written for a while: locked, its disk full, read-only."""

from __future__ import annotations

import errno
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from faults import BOTH, Missing, Row
from faults.acks import Acks
from faults.harm import failing_call, full, remount, small_disk
from faults.intact import intact
from faults.place import Place
from tests.hubs import Hub, Store, wait_until
from tests.servers import Postgres, create_database

TITLE = "The database is locked, its disk full, or read-only"
ENGINES = BOTH

DISK_MB = 128

Trouble = tuple[str, AbstractContextManager[None], str]  # name, it, what `/readyz` says


def run(place: Place) -> list[Row]:
    devices = place.scale(3, 20)
    with ExitStack() as stack:
        server = place.postgres() if place.engine == "postgresql" else None
        # PostgreSQL's user reaches its own folder only.
        disk, why = _disk((server.folder if server else place.folder) / "disk", stack)
        store = _store(place, server, disk)
        hub = place.hub(store)
        fleet = place.fleet(
            *(hub, place.tokens(store, devices), "run", "--rate", "10", "--samples", "5"),
            *("--duration", "forever", "--wait", "60s"),
        )
        acks = Acks(fleet)
        acks.wait_s(devices)
        back_s = {}
        for name, trouble, said in _troubles(store, hub, disk):
            hold_s = place.scale(0.5, 10.0)
            back_s[name] = _go_through(trouble, said, hold_s, hub, acks, devices)
        result = fleet.stop()
        assert (result["reconnects"], result["dropped"], result["stopped"]) == (0, 0, 0), result
        assert hub.terminate() == 0
        if disk is not None and store.is_sqlite:
            _starts_on_no_read_only_disk(hub, disk)
        whole = intact(store)
        row = place.row(
            store,
            done=f"{', '.join(back_s)}, in turn, each for {hold_s:g} s after the hub said so,"
            f" under {devices} devices" + (f" (no full disk: {why})" if why else ""),
            seen="`/readyz` 503 with the reason, no device was disconnected; all had acks"
            f" {max(back_s.values()):.1f} s after its end, at most; {whole}",
            figures={f"back_after_{name.replace(' ', '_')}_s": s for name, s in back_s.items()},
        )
    return [row]


def _go_through(
    trouble: AbstractContextManager[None],
    said: str,
    hold_s: float,
    hub: Hub,
    acks: Acks,
    devices: int,
) -> float:
    """From the end of the trouble until every device had an ack again."""
    with trouble:
        wait_until(lambda: _said(hub, said), f"/readyz says {said!r}")
        acks.mark(reconnected=False)
        time.sleep(hold_s)
        assert _said(hub, said), hub.ask("/readyz").body
        assert hub.figures()["weir_database_in_trouble"] == 1
        assert hub.figures()["weir_devices_connected"] == devices
        acks.look()
        assert not acks.acked
    acks.mark(reconnected=False)
    took_s = acks.wait_s(devices)
    wait_until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")
    return took_s


def _said(hub: Hub, said: str) -> bool:
    answer = hub.ask("/readyz")
    return answer.status == 503 and said in answer.json["writer"]


def _troubles(store: Store, hub: Hub, disk: Path | None) -> Iterator[Trouble]:
    locked = _sqlite_locked if store.is_sqlite else _postgres_locked
    yield "locked", locked(store), "another program holds the database"
    if disk is not None:
        yield "full disk", full(disk), "the disk is full"
    if store.is_sqlite:
        # What each write to a file is told once its file system turned read-only.
        refused = failing_call(hub.pid, "pwrite64", errno.EROFS)
        yield "writes refused by the file system", refused, "the disk fails"
        unsynced = failing_call(hub.pid, "fdatasync", errno.EIO)
        yield "syncs that fail", unsynced, "the disk fails"
    else:
        yield "read-only", _postgres_read_only(store), "the database is read-only"


@contextmanager
def _sqlite_locked(store: Store) -> Iterator[None]:
    path = store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _postgres_locked(store: Store) -> Iterator[None]:
    with psycopg.connect(store.url) as other:
        other.execute("LOCK TABLE ingest_stream, ingest_linestate IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def _postgres_read_only(store: Store) -> Iterator[None]:
    """From now on for every new connection; those that are open are ended."""
    name = sql.Identifier(urlsplit(store.url).path.removeprefix("/"))
    change = "ALTER DATABASE {} {} default_transaction_read_only"
    server = urlsplit(store.url)._replace(path="/postgres").geturl()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL(change + " = on").format(name, sql.SQL("SET")))
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [urlsplit(store.url).path.removeprefix("/")],
        )
        yield
        connection.execute(sql.SQL(change).format(name, sql.SQL("RESET")))


def _disk(folder: Path, stack: ExitStack) -> tuple[Path | None, str]:
    """A disk to fill, or why there is none."""
    try:
        return stack.enter_context(small_disk(folder, DISK_MB)), ""
    except Missing as missing:
        return None, str(missing)


def _store(place: Place, server: Postgres | None, disk: Path | None) -> Store:
    if server is None:
        store = place.store()
        return store.copy(disk) if disk is not None else store
    url = create_database(server.url)
    if disk is not None:
        folder = disk / "tablespace"
        folder.mkdir()
        shutil.chown(folder, server.user)
        name = sql.Identifier(urlsplit(url).path.removeprefix("/"))
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(folder)))
            )
            connection.execute(sql.SQL("ALTER DATABASE {} SET TABLESPACE small").format(name))
    return Store.migrated(url)


def _starts_on_no_read_only_disk(hub: Hub, disk: Path) -> None:
    remount(disk, "ro")
    before = len(hub.log)
    hub.launch()
    assert hub.end() == 1
    [sentence] = hub.log[before:].splitlines()
    assert "Read-only file system" in sentence
    remount(disk, "rw")
