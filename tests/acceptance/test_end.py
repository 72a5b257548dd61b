"""A hub that is told to end: it takes leave, within its time, whoever hangs on it."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.raw import RawSocket, bearer, said
from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store, wait_until
from tests.servers import Postgres

LIMIT_S = 10.0


@pytest.fixture
def hub(store: Store, folder: Path) -> Iterator[Hub]:
    with Hub(store, folder, options={"WEIR_STOP_TIMEOUT_S": LIMIT_S}) as hub:
        yield hub


async def test_every_device_hears_bye_and_4503_after_its_last_ack(hub: Hub) -> None:
    async with (
        device(hub.url, hub.store.add_device("reliable")) as reliable,
        device(hub.url, hub.store.add_device("plain")) as plain,
    ):
        await reliable.hello()
        assert (await plain.ask({"x": 1}))["type"] == "ack"
        await reliable.say(frame(1))
        hub.send(signal.SIGTERM)
        for each in (reliable, plain):
            last, code = await each.hear_last_word()
            assert (last["type"], last["code"], code) == ("bye", "restart", 4503)
            assert each.connection.close_reason == "restart"
        assert await asyncio.to_thread(hub.end) == 0
    assert "Traceback" not in hub.log
    assert " ERROR " not in hub.log


async def test_half_open_and_fresh_connections_disturb_nobody(hub: Hub) -> None:
    """Silent ones, a request without an end, a handshake without a key, sockets a moment old."""
    address = ("127.0.0.1", hub.port)
    halves = [b"", b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpg", b"POST /ingest/ HTTP/1.1\r\n"]
    halves += [b"POST /ingest/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfour"]
    opened = [socket.create_connection(address) for _ in halves]
    for each, half in zip(opened, halves, strict=True):
        each.sendall(half)
    async with device(hub.url, hub.store.add_device("good")) as good:
        await good.hello()
        assert (await good.ask(frame(1)))["type"] == "ack"
        fresh = [RawSocket.open(hub.port) for _ in range(5)]
        hub.send(signal.SIGTERM)
        last, code = await good.hear_last_word()
        assert (last["type"], code) == ("bye", 4503)
        assert await asyncio.to_thread(hub.end) == 0
    for each in (*opened, *(raw.socket for raw in fresh)):
        each.close()
    assert "Traceback" not in hub.log
    assert " ERROR " not in hub.log


def test_one_that_does_not_read_does_not_keep_it(hub: Hub) -> None:
    token = hub.store.add_device("deaf")
    with RawSocket.open(hub.port, headers=bearer(token)) as deaf:
        deaf.send(said(*({"x": n} for n in range(50))))
        wait_until(lambda: hub.store.readings() == 50, "its readings are stored")
        assert hub.terminate() == 0
    assert " ERROR " not in hub.log


def test_a_second_signal_ends_it_at_once(postgres_store: Store, folder: Path) -> None:
    with Hub(postgres_store, folder, options={"WEIR_STOP_TIMEOUT_S": 600}) as hub:
        token = hub.store.add_device("deaf")
        with RawSocket.open(hub.port, headers=bearer(token)):
            hub.send(signal.SIGTERM)
            wait_until(lambda: "stopping" in hub.log, "the hub has heard the first")
            hub.send(signal.SIGTERM)
            assert hub.end() in {0, -signal.SIGTERM}  # it may have ended by itself


async def test_with_its_database_away_it_still_takes_leave_in_time(
    own_postgres: Postgres, folder: Path
) -> None:
    store = Store.migrated(own_postgres.url)
    with Hub(store, folder, options={"WEIR_STOP_TIMEOUT_S": LIMIT_S}) as hub:
        async with device(hub.url, store.add_device("late")) as late:
            await late.hello()
            await asyncio.to_thread(own_postgres.stop)
            await late.say(frame(1))
            wait_until(lambda: hub.figures()["weir_frames_in_flight"] == 1, "it is taken")
            asked_s = time.monotonic()
            hub.send(signal.SIGTERM)
            last, code = await late.hear_last_word()
            assert (last["type"], code) == ("bye", 4503)
            assert await asyncio.to_thread(hub.end) == 0
            assert time.monotonic() - asked_s < 3 * LIMIT_S
    assert "could not be committed; they were not acked" in hub.log
    assert "Traceback" not in hub.log


def test_with_its_database_frozen_it_ends_at_its_limit(
    own_postgres: Postgres, folder: Path
) -> None:
    """Its writer, and whoever asks for a token, wait for an answer that does not come."""
    store = Store.migrated(own_postgres.url)
    token = store.add_device("stuck")
    with (
        Hub(store, folder, options={"WEIR_STOP_TIMEOUT_S": 4}) as hub,
        RawSocket.open(hub.port, headers=bearer(token)) as stuck,
    ):
        stuck.send(said({"x": 1}))
        wait_until(lambda: store.readings() == 1, "its reading is stored")
        own_postgres.freeze()
        try:
            stuck.send(said({"x": 2}))
            with RawSocket.open(hub.port, headers=bearer(token)):
                hub.send(signal.SIGTERM)
                assert hub.end() == 0
        finally:
            own_postgres.thaw()
    assert "Traceback" not in hub.log
