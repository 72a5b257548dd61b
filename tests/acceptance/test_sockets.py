"""A hub holds so many sockets, and so many without a token: one more is told when to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store, wait_until

OPTIONS = {"WEIR_SOCKETS": 4, "WEIR_SOCKETS_WAITING": 2, "WEIR_HELLO_TIMEOUT_S": 600}


@pytest.fixture
def hub(sqlite_store: Store, folder: Path) -> Iterator[Hub]:
    with Hub(sqlite_store, folder, options=OPTIONS) as hub:
        yield hub
        assert "Traceback" not in hub.log


async def figure(hub: Hub, name: str, value: float) -> None:
    """Wait until the hub says so of itself."""
    await asyncio.to_thread(
        wait_until, lambda: hub.figures()[name] == value, f"{name} is {value:g}"
    )


async def turned_away(url: str, token: str | None = None) -> None:
    async with device(url, token) as one_more:
        error, code = await one_more.hear_last_word()
    assert (error["code"], code) == ("unavailable", 4503)
    assert error["retry_after_ms"] > 0


async def test_strangers_that_only_connect_take_no_places_of_devices(hub: Hub) -> None:
    token = hub.store.add_device("roof")
    async with AsyncExitStack() as strangers:
        waiting = [await strangers.enter_async_context(device(hub.url)) for _ in range(2)]
        await figure(hub, "weir_sockets_waiting", 2)
        await turned_away(hub.url)
        async with device(hub.url, token) as roof:  # in the header: it never waits
            await roof.hello()
            assert (await roof.ask(frame(1)))["seq"] == 1
            # One of those that wait shows a token, and leaves its place to another.
            late: Device = waiting[0]
            await late.hello(token=hub.store.add_device("late"))
            await figure(hub, "weir_sockets_waiting", 1)
            assert (await late.ask(frame(1)))["seq"] == 1
            async with device(hub.url):
                await figure(hub, "weir_sockets_waiting", 2)
        await figure(hub, "weir_sockets_waiting", 1)
    await figure(hub, "weir_sockets_waiting", 0)
    assert hub.figures()['weir_bounds_met_total{bound="sockets_waiting"}'] == 1


async def test_one_socket_too_many_is_told_when_to_come_and_the_others_go_on(hub: Hub) -> None:
    async with AsyncExitStack() as stack:
        inside = []
        for n in range(4):
            token = hub.store.add_device(f"d{n}")
            inside.append(await stack.enter_async_context(device(hub.url, token)))
            await inside[n].hello()
        late = hub.store.add_device("late")
        await turned_away(hub.url, late)
        await turned_away(hub.url.replace("/ws/ingest/", "/ws/live/"))
        for each in inside:
            assert (await each.ask(frame(1)))["seq"] == 1
        await inside[0].connection.close()
        await figure(hub, "weir_sockets", 3)
        async with device(hub.url, late) as at_last:
            await at_last.hello()
            assert (await at_last.ask(frame(1)))["seq"] == 1
    await figure(hub, "weir_sockets", 0)
    assert hub.figures()['weir_bounds_met_total{bound="sockets"}'] == 2


def test_a_hub_that_may_open_few_files_holds_fewer_sockets_and_says_so(
    sqlite_store: Store, folder: Path
) -> None:
    with Hub(sqlite_store, folder, options={"WEIR_SOCKETS": 2_000_000_000}) as hub:
        assert "WebSockets, not the 2000000000 of WEIR_SOCKETS" in hub.log
