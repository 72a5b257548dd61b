"""A trace of the system calls of a hub: its log is synced to disk before each ack leaves.

SIGKILL alone does not show it: what was written and not synced outlives a process, and no power
cut. So that it is known to notice, the same is done with a database that does not sync its commits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

from faults import BOTH, Row
from faults.acks import Acks
from faults.broken import breaks
from faults.harm import traced
from faults.place import Place
from faults.synced import Synced
from tests.hubs import Hub, Store, wait_until
from tests.servers import Postgres

TITLE = "The log is synced before each ack (a trace)"
ENGINES = BOTH

CALLS = "pwrite64,pwritev,pwritev2,write,writev,fsync,fdatasync,sendto,sendmsg"
QUIET: dict[str, Any] = {"WEIR_SEAL_GRACE_S": 86_400, "WEIR_UNSAFE_DURABILITY": "true"}
"""Nothing but the batches writes; and a database that does not sync is not refused."""


def run(place: Place) -> list[Row]:
    frames = place.scale(30, 1_000)
    server = place.postgres() if place.engine == "postgresql" else None
    store = place.store(server)
    if server is not None:
        _quieten(server)
    tokens = place.tokens(store, 1)
    hub = place.hub(store, **QUIET)
    sound = _trace(place, hub, tokens, server, frames)
    assert sound.unsound == [], sound.unsound[:3]
    hub.terminate()
    _weaken(hub, store)
    hub.start()
    wait_until(lambda: hub.figures()["weir_durable"] == 0, "the hub says what it runs on")
    weak = _trace(place, hub, tokens, server, frames // 3)
    assert weak.sound == 0, f"{weak.sound} acks of a hub that syncs nothing were taken for sound"
    assert hub.terminate() == 0
    how = "`synchronous=NORMAL`" if store.is_sqlite else "`fsync=off`"
    return [
        place.row(
            store,
            done="`strace` of the hub" + ("" if store.is_sqlite else " and of PostgreSQL"),
            seen=f"{sound.sound} of {sound.sound} acks left after the sync of their batch;"
            f" with {how} 0 of {len(weak.unsound)}, so it would be noticed",
            figures={"acks_synced": sound.sound, "acks_not_synced": len(sound.unsound)},
        )
    ]


def _trace(place: Place, hub: Hub, tokens: Path, server: Postgres | None, frames: int) -> Synced:
    """One device sends, a frame at a time, while the hub and its server are traced."""
    fleet = place.fleet(
        *(hub, tokens, "run", "--rate", "20", "--window", "1", "--duration", "forever"),
        *("--wait", "60s"),
    )
    Acks(fleet).wait_s()
    pids = [hub.pid] if server is None else [hub.pid, *_processes(server)]
    path = place.folder / f"trace-{len(place.fleets)}"
    synced = Synced("-wal" if server is None else "/pg_wal/")
    arguments = ("-yy", "-s", "200", "-e", f"trace={CALLS}", "-o", str(path))
    with traced(pids, *arguments):
        wait_until(lambda: path.read_text().count(r"\"type\":\"ack\"") > frames, "acks are traced")
    fleet.stop()
    lines = path.read_text(errors="replace").splitlines()
    first = next(n for n, line in enumerate(lines) if r"\"type\":\"ack\"" in line)
    synced.read(lines[first + 1 :])  # what came before the first was in part before the trace
    return synced


def _processes(server: Postgres) -> list[int]:
    """The writer's own backend, and the process that writes the log for everybody."""
    with psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'weir writer' OR backend_type = 'walwriter'"
        ).fetchall()
    return [pid for (pid,) in rows]


def _quieten(server: Postgres) -> None:
    """Only the writer's transactions write to the log."""
    _set(server.url, "autovacuum = off")


def _weaken(hub: Hub, store: Store) -> None:
    """Commits are answered before they are synced."""
    if store.is_sqlite:
        breaks(hub, "SYNCHRONOUS NORMAL")
    else:
        _set(store.url, "fsync = off")


def _set(url: str, setting: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET {setting}".encode())
        connection.execute("SELECT pg_reload_conf()")
