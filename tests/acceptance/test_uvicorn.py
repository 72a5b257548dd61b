"""The same application under uvicorn: it serves, and takes leave as it does under Daphne."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store, wait_until
from tests.servers import UVICORN


@pytest.fixture
def hub(store: Store, folder: Path) -> Iterator[Hub]:
    hub = Hub(store, folder)
    hub.command = [sys.executable, *UVICORN]
    with hub:
        yield hub


async def test_it_serves_and_takes_leave_of_its_devices(hub: Hub) -> None:
    async with device(hub.url, hub.store.add_device("here")) as here:
        welcome = await here.hello("a")
        assert welcome["type"] == "welcome"
        assert (await here.ask(frame(1)))["seq"] == 1
        hub.send(signal.SIGTERM)
        last, code = await here.hear_last_word()
        assert (last["type"], code) == ("bye", 4503)
        assert await asyncio.to_thread(hub.end) == -signal.SIGTERM  # as uvicorn ends
    assert "Traceback" not in hub.log
    hub.start()
    async with device(hub.url, hub.store.add_device("here")) as back:
        assert (await back.hello("a", 2))["resume"]["committed"] == 1


async def test_what_was_taken_is_acked_before_it_ends(store: Store, folder: Path) -> None:
    """Its frames would wait ten seconds for a flush; the end does not."""
    hub = Hub(store, folder, options={"WEIR_FLUSH_INTERVAL_S": 10})
    hub.command = [sys.executable, *UVICORN]
    with hub:
        async with device(hub.url, store.add_device("busy")) as busy:
            await busy.hello()
            await busy.say(*(frame(seq) for seq in range(1, 11)))
            await asyncio.to_thread(hub.ask, "/healthz")  # it has read them
            hub.send(signal.SIGTERM)
            assert await busy.hear_ack_of(10) == 10
            await asyncio.to_thread(hub.end)
    assert store.rows("SELECT committed, stored FROM ingest_stream") == [(10, 10)]


async def test_a_device_that_leaves_before_its_acks_is_no_bug(hub: Hub) -> None:
    """What is said to somebody who has left raises here, under Daphne it is thrown away."""
    for number in range(20):
        async with device(hub.url, hub.store.add_device(f"d{number}")) as leaving:
            await leaving.say(*({"n": 1} for _ in range(40)))
            if number % 2:
                leaving.connection.transport.abort()
    await asyncio.to_thread(
        wait_until, lambda: hub.figures()["weir_devices_connected"] == 0, "all have left"
    )
    assert "Traceback" not in hub.log
    assert "a bug" not in hub.log


async def test_a_page_and_a_frame_by_post_are_answered(hub: Hub) -> None:
    token = hub.store.add_device("poster")
    answer = hub.ask("/ingest/", '{"x":1}', headers={"Authorization": f"Bearer {token}"})
    assert (answer.status, answer.json["stored"]) == (200, 1)
    assert hub.ask("/login/").status in {200, 302, 404}
    assert hub.ask("/readyz").status == 200


def test_a_second_hub_on_a_sqlite_database_is_refused(sqlite_store: Store, folder: Path) -> None:
    with Hub(sqlite_store, folder) as first:
        second = Hub(sqlite_store, folder)
        second.command = [sys.executable, *UVICORN]
        second.launch()
        assert second.end() != 0
        assert "SQLite takes one hub" in second.log
        assert "Traceback" not in second.log
        assert first.ask("/readyz").status == 200
