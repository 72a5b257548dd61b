"""SIGTERM in a flood of frames, with connections that are not yet any; and SIGTERM twice."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

import psycopg
from websockets.exceptions import ConnectionClosed

from faults import BOTH, Row
from faults.caller import Caller, Visit, visit
from faults.place import Place
from simulators.ledger import Ledger
from simulators.tokens import read_tokens
from tests.hubs import Hub, Store, wait_until

TITLE = "The hub is told to end (SIGTERM)"
ENGINES = BOTH

DRAINED = 4503
STOPPING = "stopping: "
"""In the hub's log, once it has heard the signal."""
LIMIT_MET = "ended at the time limit"


def run(place: Place) -> list[Row]:
    rounds, devices = place.scale((2, 8), (10, 50))
    store = place.store()
    hub = place.hub(store, start=False)
    path = place.folder / "ledger"
    ledger = Ledger(path)
    callers = [
        Caller(who.uid, who.token, ledger, place.rng)
        for who in read_tokens(place.tokens(store, devices))
    ]
    ended_s = [asyncio.run(_told_in_a_flood(place, hub, callers)) for _ in range(rounds)]
    assert LIMIT_MET not in hub.log
    twice_s = asyncio.run(_told_twice(hub, callers[0]))
    asyncio.run(_all_acked(hub, callers))
    ledger.close()
    assert hub.terminate() == 0
    return [
        place.row(
            store,
            done=f"{rounds} times in a flood from {devices} devices, each time with half a request"
            " and sockets a moment old; and twice, while the database is held",
            seen=f"exit 0 after {max(ended_s):.1f} s at most; every device heard the ack of all"
            f" that was committed, `bye` and 4503; told twice, it ended in {twice_s:.1f} s",
            figures={"ended_most_s": max(ended_s), "told_twice_s": twice_s},
            ledgers=(path,),
        )
    ]


async def _told_in_a_flood(place: Place, hub: Hub, callers: list[Caller]) -> float:
    """Seconds from the signal to the end of the hub."""
    hub.start()  # by this thread: a hub ends with the thread that started it
    floods = [asyncio.create_task(_flood(caller, hub)) for caller in callers]
    wanted = [caller.device.acked + 1 for caller in callers]
    while any(caller.device.acked < n for caller, n in zip(callers, wanted, strict=True)):
        for flood in floods:
            assert not flood.done(), flood
        await asyncio.sleep(0.01)
    await asyncio.sleep(place.rng.uniform(0, 1))
    with _young_connections(hub):
        told_s = time.monotonic()
        hub.send(signal.SIGTERM)
        visits = await asyncio.gather(*floods)
        assert await asyncio.to_thread(hub.end) == 0
        ended_s = time.monotonic() - told_s
    committed = dict(hub.store.rows("SELECT name, committed FROM ingest_stream"))
    for caller, ended in zip(callers, visits, strict=True):
        assert caller.device.acked == committed[caller.device.stream]
        assert ended.heard["bye"] == 1, ended.heard
        assert ended.link.connection.close_code == DRAINED
    return ended_s


async def _flood(caller: Caller, hub: Hub) -> Visit:
    """Send as fast as the window allows, until the hub closes."""
    async with visit(caller, hub.url) as flooding:
        await flooding.hello()
        try:
            while True:
                caller.measure(max(0, caller.device.room))
                with suppress(ConnectionClosed):  # what it was told before is still to be heard
                    await flooding.send()
                await flooding.hear()
        except ConnectionClosed:
            return flooding


@contextmanager
def _young_connections(hub: Hub) -> Iterator[None]:
    """Half a request, one that says nothing, and a socket that has not shown its token yet."""
    address = ("127.0.0.1", hub.port)
    with ExitStack() as stack:
        half, upgraded, _silent = (
            stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(3)
        )
        half.sendall(b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpgrade: webs")
        upgraded.sendall(
            b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        yield


async def _told_twice(hub: Hub, caller: Caller) -> float:
    """Seconds from the second signal to the end, which does not wait for the database."""
    hub.start()
    told = hub.log.count(STOPPING)
    async with visit(caller, hub.url) as waiting:
        await waiting.hello()
        with _held(hub.store):
            caller.measure()
            await waiting.send()
            await _until(lambda: hub.figures()["weir_frames_in_flight"] >= 1, "it is taken")
            hub.send(signal.SIGTERM)
            await _until(lambda: hub.log.count(STOPPING) > told, "the hub has heard it")
            told_s = time.monotonic()
            hub.send(signal.SIGTERM)
            assert await asyncio.to_thread(hub.end) == -signal.SIGTERM
            return time.monotonic() - told_s


@contextmanager
def _held(store: Store) -> Iterator[None]:
    """Nothing can be committed meanwhile."""
    if store.is_sqlite:
        path = store.url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
    else:
        with psycopg.connect(store.url) as server:
            server.execute("LOCK TABLE ingest_stream IN ACCESS EXCLUSIVE MODE")
            yield


async def _all_acked(hub: Hub, callers: list[Caller]) -> None:
    """Each comes back, and has all it sent settled."""
    hub.start()
    for caller in callers:
        async with visit(caller, hub.url) as back:
            await back.hello()
            await back.hear_ack_of(caller.device.spool.last)


async def _until(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)
