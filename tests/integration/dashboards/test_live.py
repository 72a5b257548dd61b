"""`/ws/live/` from a browser's side: who is let in, what it is sent, and what a slow one gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import orjson
import pytest
from asgiref.sync import sync_to_async
from channels.sessions import CookieMiddleware, SessionMiddleware
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connections

from dashboards.live import consumer
from dashboards.live import logins as logins_module
from dashboards.live.board import Board
from dashboards.live.consumer import LiveConsumer
from dashboards.live.logins import Logins
from dashboards.live.present import DevicePresent, Known
from dashboards.live.routing import live_application
from tests.integration.dashboards.stage import Layer, eventually, no_tails, summary, told

ORIGIN = (b"origin", b"http://localhost:8000")
KNOWN = Known([DevicePresent("porch", "Porch", 10.0), DevicePresent("roof")], 0)


@pytest.fixture
def layer() -> Layer:
    return Layer()


@pytest.fixture
async def board(layer: Layer) -> AsyncIterator[Board]:
    board = Board(
        layer,
        time.time,
        load_fleet=lambda: KNOWN,
        load_catalogue=lambda: KNOWN,
        load_tails=no_tails,
        interval_s=0.02,
    )
    board._stale_s = 600  # no hub sends anything here, however long a test takes
    await board.start()
    await eventually(lambda: board.primed and layer.groups)
    yield board
    await board.stop()


@pytest.fixture
async def logins() -> AsyncIterator[Logins]:
    logins = Logins(interval_s=60)
    yield logins
    await asyncio.get_running_loop().run_in_executor(logins._executor, connections.close_all)
    await logins.stop()


Connect = Callable[..., Awaitable["Dashboard"]]


class Dashboard:
    """A browser's end of the socket."""

    def __init__(self, application: Any, path: str, headers: list[tuple[bytes, bytes]]) -> None:
        self.socket = WebsocketCommunicator(application, path, headers)

    async def connect(self) -> None:
        accepted, _ = await self.socket.connect(timeout=60)
        assert accepted

    async def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(await self.socket.receive_from(timeout=60))
        return message

    async def say(self, **message: Any) -> None:
        await self.socket.send_to(text_data=orjson.dumps(message).decode())

    async def subscribe(self, **asked: Any) -> dict[str, Any]:
        """The snapshot that answers."""
        await self.say(type="subscribe", **asked)
        return await self.hear()

    async def see(self, message: dict[str, Any]) -> None:
        await self.say(type="seen", at=message["at"])

    async def closed(self) -> int:
        output = await self.socket.receive_output(timeout=60)
        assert output["type"] == "websocket.close"
        code: int = output["code"]
        return code

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """See updates until one `holds`."""
        while True:
            message = await self.hear()
            if holds(message):
                return message
            await self.see(message)


@pytest.fixture
async def connect(board: Board, logins: Logins, session_cookie: str) -> AsyncIterator[Connect]:
    opened: list[Dashboard] = []

    async def connect(
        path: str = "/ws/live/", *, application: Any = None, headers: Any = None
    ) -> Dashboard:
        cookie = (b"cookie", f"sessionid={session_cookie}".encode())
        application = application or live_application(board, logins)
        dashboard = Dashboard(application, path, [ORIGIN, cookie] if headers is None else headers)
        await dashboard.connect()
        opened.append(dashboard)
        return dashboard

    yield connect
    for dashboard in opened:
        await dashboard.socket.disconnect()


def uids(message: dict[str, Any]) -> set[str]:
    return {device["uid"] for device in message["devices"]}


async def test_a_browser_that_is_not_logged_in_is_told_and_closed(connect: Connect) -> None:
    dashboard = await connect(headers=[ORIGIN])
    assert (await dashboard.hear())["code"] == "not_logged_in"
    assert await dashboard.closed() == 4401


async def test_a_login_that_may_not_look_is_told_and_closed(connect: Connect) -> None:
    await sync_to_async(Group.objects.all().delete)()
    dashboard = await connect()
    assert (await dashboard.hear())["code"] == "not_permitted"
    assert await dashboard.closed() == 4403


async def test_a_page_of_another_site_is_told_and_closed(
    connect: Connect, session_cookie: str
) -> None:
    cookie = (b"cookie", f"sessionid={session_cookie}".encode())
    for headers in ([(b"origin", b"http://evil.example"), cookie], [cookie]):
        dashboard = await connect(headers=headers)
        assert (await dashboard.hear())["code"] == "foreign_origin"
        assert await dashboard.closed() == 4403


async def test_where_every_host_is_allowed_a_page_must_be_of_the_host_it_connects_to(
    connect: Connect, session_cookie: str, board: Board, logins: Logins, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    host = (b"host", b"hub.example:8000")
    cookie = (b"cookie", f"sessionid={session_cookie}".encode())
    for origin in (b"http://evil.example", b"http://hub.example", b"null"):
        dashboard = await connect(headers=[(b"origin", origin), host, cookie])
        assert (await dashboard.hear())["code"] == "foreign_origin"
    own = await connect(headers=[(b"origin", b"http://hub.example:8000"), host, cookie])
    assert (await own.subscribe())["type"] == "snapshot"


async def test_a_database_that_is_away_is_told_and_may_be_tried_again(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(scope: Any) -> None:
        raise ConnectionError("the database is away")

    monkeypatch.setattr(consumer, "get_user", away)
    dashboard = await connect()
    assert (await dashboard.hear())["code"] == "unavailable"
    assert await dashboard.closed() == 4503


async def test_the_snapshot_comes_first_and_has_everyone(connect: Connect) -> None:
    snapshot = await (await connect()).subscribe()
    assert snapshot["type"] == "snapshot"
    assert snapshot["interval_ms"] == 20
    assert snapshot["stale_since"] is None
    porch = next(device for device in snapshot["devices"] if device["uid"] == "porch")
    assert porch == {
        "uid": "porch",
        "name": "Porch",
        "seen": None,
        "values": {},
        "counts": {"stored": 0, "duplicate": 0, "rejected": 0},
        "interval_s": 10.0,
    }
    assert uids(snapshot) == {"porch", "roof"}


async def test_updates_replace_what_changed(connect: Connect, layer: Layer) -> None:
    dashboard = await connect()
    await dashboard.see(await dashboard.subscribe())
    await layer.publish(summary("roof", 30.0))
    update = await dashboard.until(lambda message: "roof" in uids(message))
    assert update["type"] == "update"
    (roof,) = [device for device in update["devices"] if device["uid"] == "roof"]
    assert roof["values"] == {"temperature": [1000.0, 30.0]}


async def test_nothing_is_told_before_it_is_subscribed_to(
    connect: Connect, board: Board, layer: Layer
) -> None:
    dashboard = await connect()
    await layer.publish(summary("roof", 30.0))
    await eventually(partial(told, board, 1))
    assert await dashboard.socket.receive_nothing(timeout=0.05, interval=0.01)
    assert (await dashboard.subscribe())["type"] == "snapshot"


async def test_a_subscription_that_cannot_be_is_named_and_the_one_before_goes_on(
    connect: Connect, layer: Layer
) -> None:
    dashboard = await connect()
    snapshot = await dashboard.subscribe(devices=["roof"])
    error = await dashboard.subscribe(devices=["porch"], interval_ms="often")
    assert (error["type"], error["code"], error["field"]) == ("error", "invalid", "interval_ms")
    await dashboard.see(snapshot)
    await layer.publish(summary("porch"))
    await layer.publish(summary("roof", 30.0))
    assert uids(await dashboard.until(lambda message: bool(uids(message)))) == {"roof"}


async def test_another_subscription_is_answered_once_what_is_in_flight_is_seen(
    connect: Connect,
) -> None:
    dashboard = await connect()
    snapshot = await dashboard.subscribe(devices=["roof"])
    await dashboard.say(type="subscribe", filter="POR")
    await dashboard.see(snapshot)
    snapshot = await dashboard.until(lambda message: message["type"] == "snapshot")
    assert uids(snapshot) == {"porch"}


async def test_who_asks_for_nothing_is_closed(
    connect: Connect, board: Board, logins: Logins
) -> None:
    consumer = LiveConsumer.as_asgi(board=board, logins=logins, seen_timeout_s=0.05)
    dashboard = await connect(application=CookieMiddleware(SessionMiddleware(consumer)))
    assert "subscribed" in (await dashboard.hear())["message"]
    assert await dashboard.closed() == 4508


async def test_one_device_may_be_asked_for(connect: Connect, layer: Layer) -> None:
    dashboard = await connect()
    snapshot = await dashboard.subscribe(devices=["roof"])
    assert uids(snapshot) == {"roof"}
    await dashboard.see(snapshot)
    await layer.publish(summary("porch"))
    await layer.publish(summary("roof", 30.0))
    assert uids(await dashboard.until(lambda message: bool(uids(message)))) == {"roof"}


async def test_a_slow_browser_gets_fewer_updates_and_no_backlog(
    connect: Connect, board: Board, layer: Layer
) -> None:
    dashboard = await connect()
    snapshot = await dashboard.subscribe()
    for number in range(20):
        await layer.publish(summary("roof", float(number), 1000.0 + number))
        await eventually(partial(told, board, number + 1))
    assert board.updates == 0
    await dashboard.see(snapshot)
    update = await dashboard.until(lambda message: "roof" in uids(message))
    (roof,) = [device for device in update["devices"] if device["uid"] == "roof"]
    assert roof["values"] == {"temperature": [1019.0, 19.0]}


async def test_seen_of_another_update_does_not_count(connect: Connect, board: Board) -> None:
    dashboard = await connect()
    snapshot = await dashboard.subscribe()
    for nonsense in ('{"type":"seen","at":1}', "{", "[]", '{"type":"hello"}'):
        await dashboard.socket.send_to(text_data=nonsense)
    await asyncio.sleep(0)
    assert board.updates == 0
    await dashboard.see(snapshot)
    assert (await dashboard.hear())["type"] == "update"


async def test_a_browser_that_sees_nothing_is_closed(
    connect: Connect, board: Board, logins: Logins
) -> None:
    consumer = LiveConsumer.as_asgi(board=board, logins=logins, seen_timeout_s=0.05)
    dashboard = await connect(application=CookieMiddleware(SessionMiddleware(consumer)))
    await dashboard.subscribe()
    assert (await dashboard.hear())["code"] == "too_slow"
    assert await dashboard.closed() == 4508


async def test_a_quiet_fleet_still_beats(connect: Connect, board: Board) -> None:
    dashboard = await connect()
    await dashboard.see(await dashboard.subscribe())
    first = await dashboard.hear()
    await dashboard.see(first)
    assert (await dashboard.hear())["at"] > first["at"]


async def test_a_browser_that_leaves_is_forgotten(connect: Connect, board: Board) -> None:
    dashboard = await connect()
    await dashboard.subscribe()
    assert board.dashboards == 1
    await dashboard.socket.disconnect()
    await eventually(lambda: board.dashboards == 0)


async def test_a_login_that_ends_closes_its_sockets_and_a_database_away_closes_none(
    connect: Connect, board: Board, logins: Logins, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboards = [await connect(), await connect()]
    for dashboard in dashboards:
        await dashboard.subscribe()
    await logins.look()
    with monkeypatch.context() as away:
        away.setattr(logins_module, "ended", raise_operational_error)
        with pytest.raises(OperationalError):
            await logins.look()
    assert board.dashboards == 2
    await sync_to_async(User.objects.update)(is_active=False)
    await logins.look()
    await logins.look()
    for dashboard in dashboards:
        assert (await dashboard.hear())["code"] == "not_logged_in"
        assert await dashboard.closed() == 4401


def raise_operational_error(*arguments: object) -> None:
    raise OperationalError("the database is away")


async def test_a_browser_that_does_not_read_is_not_waited_for_when_its_login_ends(
    board: Board, logins: Logins, session_cookie: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "LAST_WORD_S", 0.01)
    said = asyncio.Event()
    heard = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": '{"type":"subscribe"}'},
    ]

    async def receive() -> Any:
        return heard.pop(0) if heard else await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            said.set()
            await asyncio.Event().wait()  # as a server does whose peer takes nothing

    cookie = (b"cookie", f"sessionid={session_cookie}".encode())
    scope = {"type": "websocket", "path": "/ws/live/", "headers": [ORIGIN, cookie]}
    running = asyncio.ensure_future(live_application(board, logins)(scope, receive, send))
    await said.wait()
    await sync_to_async(User.objects.update)(is_active=False)
    await logins.look()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await running
    assert board.dashboards == 0
