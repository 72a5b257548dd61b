"""Two hubs on one PostgreSQL with Redis gone: who may be inside no longer is shown out of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from faults.raw import RawSocket, bearer, said
from tests.acceptance.browsing import Browser, add_operator
from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store, wait_until
from tests.servers import Redis

Hubs = tuple[Hub, Hub]
IN_FLIGHT = 4


@pytest.fixture(scope="module")
def hubs(
    new_store: Callable[[str], Store],
    redis_program: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hubs]:
    store, folder = new_store("postgresql"), tmp_path_factory.mktemp("hubs")
    add_operator(store)
    options = {"WEIR_IN_FLIGHT": IN_FLIGHT}
    with (
        Redis(redis_program) as redis,
        Hub(store, folder, redis_url=redis.url, options=options) as one,
        Hub(store, folder, redis_url=redis.url, options=options) as two,
    ):
        redis.stop()
        yield one, two
        assert "Traceback" not in one.log + two.log


def revoke(store: Store, uid: str) -> None:
    store.rows(
        "UPDATE devices_token SET revoked_at = %s WHERE device_id = %s",
        *(datetime.now(UTC), store.device_id(uid)),
    )


def disable(store: Store, uid: str) -> None:
    store.rows("UPDATE devices_device SET enabled = %s WHERE uid = %s", False, uid)


@asynccontextmanager
async def inside(hubs: Hubs, token: str) -> AsyncIterator[list[Device]]:
    """A connection of each kind to each hub, let in and served."""
    async with AsyncExitStack() as stack:
        devices = []
        for hub in hubs:
            plain = await stack.enter_async_context(device(hub.url, token))
            assert (await plain.ask({"x": 1}))["stored"] == 1
            welcomed = await stack.enter_async_context(device(hub.url))
            assert (await welcomed.ask({"type": "hello", "token": token}))["type"] == "welcome"
            idle = await stack.enter_async_context(
                device(hub.url, subprotocols=["weir.v1", f"bearer.{token}"])
            )
            reliable = await stack.enter_async_context(device(hub.url, token))
            await reliable.hello()
            assert (await reliable.ask(frame(1)))["seq"] == 1
            devices += [plain, welcomed, idle, reliable]
        yield devices


@pytest.mark.parametrize(("end", "code"), [(revoke, "token_revoked"), (disable, "device_disabled")])
async def test_every_connection_of_a_device_is_closed_at_both_hubs(
    hubs: Hubs, end: Callable[[Store, str], None], code: str
) -> None:
    store = hubs[0].store
    token, other = store.add_device(f"ends {code}"), store.add_device(f"stays {code}")
    async with inside(hubs, token) as devices, inside(hubs, other) as others:
        end(store, f"ends {code}")
        for each in devices:
            error, closed = await each.hear_last_word()
            assert (error["code"], closed) == (code, 4403)
        for each in others[3::4]:
            assert (await each.ask(frame(2)))["seq"] == 2


async def test_a_connection_that_is_held_is_closed_too(hubs: Hubs) -> None:
    hub, store = hubs[0], hubs[0].store
    token = store.add_device("held")
    async with device(hub.url, token) as plain, device(hub.url, token) as reliable:
        await plain.ask({"x": 1})
        await reliable.hello()
        with psycopg.connect(store.url) as locked:
            locked.execute("LOCK TABLE ingest_reading IN EXCLUSIVE MODE")
            await plain.say(*({"x": n} for n in range(50)))
            await asyncio.to_thread(
                wait_until,
                lambda: hub.figures()["weir_frames_in_flight"] == IN_FLIGHT,
                "the window is full and the socket is held",
            )
            revoke(store, "held")
            for each in (plain, reliable):
                error, closed = await each.hear_last_word()
                assert (error["code"], closed) == ("token_revoked", 4403)
    async with device(hub.url, store.add_device("next")) as later:
        assert (await later.ask({"x": 1}))["stored"] == 1


def deafen(raw: RawSocket, hub: Hub, said: bytes) -> None:
    """Say something over and over and read no answer, until the hub can say no more."""
    rest = b""
    raw.socket.settimeout(0.1)

    def is_stuck() -> bool:
        nonlocal rest
        rest = rest or said
        with suppress(TimeoutError):
            rest = rest[raw.socket.send(rest) :]
        return hub.figures()['weir_sockets_paused{full="output"}'] == 1

    wait_until(is_stuck, "the hub has more to say than its peer takes")


def test_a_device_that_does_not_read_is_shown_out_too(hubs: Hubs) -> None:
    hub, store = hubs[1], hubs[1].store
    refused = said({f"{n} {'x' * 100}": 1 for n in range(60)}) * 50
    connected = hub.figures()["weir_devices_connected"]
    headers = bearer(store.add_device("deaf"))
    with RawSocket.open(hub.port, headers=headers, receive_buffer_bytes=4_096) as deaf:
        deafen(deaf, hub, refused)
        assert hub.figures()["weir_devices_connected"] == connected + 1
        disable(store, "deaf")
        wait_until(lambda: hub.figures()["weir_devices_connected"] == connected, "it is shown out")
        wait_until(lambda: hub.figures()['weir_sockets_paused{full="output"}'] == 0, "it is closed")
    assert hub.figures()['weir_connections_cut_total{why="took_nothing"}'] == 0


def log_out(hub: Hub, browser: Browser) -> None:
    assert browser.send(hub, "/accounts/logout/").status == 302


def deactivate(hub: Hub, browser: Browser) -> None:
    hub.store.rows("UPDATE auth_user SET is_active = %s", False)


@pytest.mark.parametrize("end", [log_out, deactivate])
async def test_a_dashboard_whose_login_ended_is_closed_at_both_hubs(
    hubs: Hubs, end: Callable[[Hub, Browser], None]
) -> None:
    hubs[0].store.rows("UPDATE auth_user SET is_active = %s", True)
    browser = Browser()
    assert browser.log_in(hubs[0]).status == 302
    async with browser.look(hubs[0]) as here, browser.look(hubs[1]) as there:
        for dashboard in (here, there):
            assert (await dashboard.see())["type"] == "snapshot"
        end(hubs[0], browser)
        for dashboard in (here, there):
            error, closed = await dashboard.hear_last_word()
            assert (error["code"], closed) == ("not_logged_in", 4401)
