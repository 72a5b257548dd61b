"""Plain connections that the hub cannot take more of: they are held, never closed, never doubled.

The consumer and the line on a real SQLite engine, whose writer a test stops at will.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from devices import tokens
from devices.models import Device, Token
from ingest import line as line_module
from ingest.consumers import DeviceConsumer
from ingest.flow import Budget
from ingest.gate import Gate
from ingest.limits import Limits
from ingest.line import Line
from ingest.models import Reading
from ingest.relay import Relay
from ingest.storage import Engine
from ingest.storage.sqlite import SqliteEngine
from ingest.writer import WriterOptions
from tests.hubs import Store, wait_until
from tests.integration.engine import default_database
from tests.integration.storage.failing import failing

DEADLINE_S = 60.0
WINDOW = 4
TEXT = {"type": "websocket.receive", "text": '{"n": 1}'}


@pytest.fixture
def database(
    new_store: Callable[[str], Store], django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The path of a migrated database that the hub's threads see, too."""
    url = new_store("sqlite").url
    with django_db_blocker.unblock(), default_database(url):
        yield url.removeprefix("sqlite:///")


class Bench:
    """A line whose writer stands still while `writes` is not set."""

    def __init__(self, database: str, budget: Budget, limits: Limits) -> None:
        self.writes = threading.Event()
        self.writes.set()
        self.failures, self._engine = failing(SqliteEngine(database))
        self._wait_before_each_batch()
        self.gate = Gate(interval_s=60)
        options = WriterOptions(flush_interval_s=0.001)
        relay = Relay(None, "hub", 60, lambda: 0)
        self.line = Line(self._open, options, limits, self.gate, relay, budget)
        self._sockets: list[WebsocketCommunicator] = []

    def _open(self) -> Engine:
        return self._engine

    def _wait_before_each_batch(self) -> None:
        def wait() -> None:
            self.writes.wait(DEADLINE_S)
            self._wait_before_each_batch()

        self.failures.before("begin", wait)

    async def plain(self, token: str) -> WebsocketCommunicator:
        application = DeviceConsumer.as_asgi(line=self.line)
        headers = [(b"authorization", f"Bearer {token}".encode())]
        socket = WebsocketCommunicator(application, "/ws/ingest/", headers)
        assert (await socket.connect(timeout=DEADLINE_S))[0]
        self._sockets.append(socket)
        return socket

    async def until(self, true: Callable[[], object], what: str) -> None:
        await asyncio.to_thread(wait_until, true, what, DEADLINE_S)

    async def end(self) -> None:
        self.writes.set()
        for socket in self._sockets:
            if not socket.future.done():
                await socket.disconnect(timeout=DEADLINE_S)
        if not self.line.stopping:
            assert await self.line.stop()


OneBench = Callable[..., Bench]


@pytest.fixture
async def bench(database: str) -> AsyncIterator[OneBench]:
    made: list[Bench] = []

    def make(*, buffer_readings: int = 1_000, in_flight: int = WINDOW) -> Bench:
        budget = Budget(capacity_readings=buffer_readings)
        made.append(Bench(database, budget, Limits(in_flight=in_flight)))
        made[-1].line.start()
        return made[-1]

    yield make
    for bench in made:
        await bench.end()


def token(uid: str = "porch") -> str:
    return tokens.issue(Device.objects.create(uid=uid))[1]


async def send(socket: WebsocketCommunicator, *numbers: int) -> None:
    """Frames without a time: one that was taken twice would be stored twice."""
    for number in numbers:
        await socket.send_to(text_data=json.dumps({"n": number}))


async def acked_through(socket: WebsocketCommunicator, seq: int) -> int:
    """Wait for the ack of frame `seq`; how many readings were stored by then."""
    stored = 0
    while True:
        heard: dict[str, Any] = json.loads(await socket.receive_from(timeout=DEADLINE_S))
        assert heard["type"] == "ack", heard
        stored += int(heard["stored"])
        if heard["seq"] >= seq:
            return stored


def values() -> list[float]:
    return sorted(Reading.objects.values_list("value", flat=True))


async def test_beyond_its_window_it_waits_and_every_frame_is_stored_once(bench: OneBench) -> None:
    hub = bench()
    hub.writes.clear()
    socket = await hub.plain(await asyncio.to_thread(token))
    await send(socket, *range(40))
    await hub.until(lambda: hub.line.budget.frames == WINDOW, "its window is taken")
    assert await socket.receive_nothing(0.05)
    assert hub.line.budget.frames == WINDOW
    hub.writes.set()
    assert await acked_through(socket, 40) == 40
    assert await asyncio.to_thread(values) == [float(n) for n in range(40)]


async def test_when_the_hub_is_full_they_are_let_in_in_the_order_they_came(
    bench: OneBench,
) -> None:
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    sockets = [await hub.plain(await asyncio.to_thread(token, f"d{n}")) for n in range(6)]
    for number, socket in enumerate(sockets):
        await send(socket, number)
        await hub.until(
            lambda number=number: len(hub.line.admission) + hub.line.budget.frames == number + 1,  # type: ignore[misc]
            "it is taken or waits",
        )
    assert hub.line.budget.frames == 1
    hub.writes.set()
    for socket in sockets:
        assert await acked_through(socket, 1) == 1
    assert await asyncio.to_thread(values) == [0, 1, 2, 3, 4, 5]
    assert len(hub.line.admission) == 0


async def test_no_more_are_woken_than_there_is_room_for(bench: OneBench) -> None:
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    sockets = [await hub.plain(await asyncio.to_thread(token, f"d{n}")) for n in range(20)]
    for socket in sockets:
        await send(socket, 1)
    await hub.until(lambda: len(hub.line.admission) == 19, "all but one wait")
    offered = 0
    refusal = hub.line.refusal

    def counted(*arguments: object) -> object:
        nonlocal offered
        offered += 1
        return refusal(*arguments)  # type: ignore[arg-type]

    hub.line.refusal = counted  # type: ignore[method-assign,assignment]
    hub.writes.set()
    for socket in sockets:
        assert await acked_through(socket, 1) == 1
    # Each was offered once as it was let in, and once at most to find that there was no room.
    assert offered <= 2 * len(sockets)


async def test_one_that_leaves_while_it_waits_is_noticed_and_its_frame_is_not_taken(
    bench: OneBench,
) -> None:
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    first = await hub.plain(await asyncio.to_thread(token, "first"))
    second = await hub.plain(await asyncio.to_thread(token, "second"))
    await send(first, 1)
    await hub.until(lambda: hub.line.budget.frames == 1, "it is taken")
    await send(second, 2)
    await hub.until(lambda: len(hub.line.admission) == 1, "it waits")
    await second.disconnect(timeout=DEADLINE_S)
    assert (len(hub.line.admission), len(hub.line.connections)) == (0, 1)
    hub.writes.set()
    assert await acked_through(first, 1) == 1
    assert await asyncio.to_thread(values) == [1]


def revoke(uid: str) -> None:
    Token.objects.filter(device__uid=uid).update(revoked_at=timezone.now())


async def test_one_whose_token_is_revoked_while_it_waits_is_closed_at_once(
    bench: OneBench,
) -> None:
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    first = await hub.plain(await asyncio.to_thread(token, "first"))
    second = await hub.plain(await asyncio.to_thread(token, "second"))
    await send(first, 1)
    await hub.until(lambda: hub.line.budget.frames == 1, "it is taken")
    await send(second, 2, 3)
    await hub.until(lambda: len(hub.line.admission) == 1, "it waits")
    await asyncio.to_thread(revoke, "second")
    await hub.gate.look()
    error = json.loads(await second.receive_from(timeout=DEADLINE_S))
    assert error["code"] == "token_revoked"
    assert (await second.receive_output(timeout=DEADLINE_S))["code"] == 4403
    assert len(hub.line.admission) == 0
    hub.writes.set()
    assert await acked_through(first, 1) == 1
    assert await asyncio.to_thread(values) == [1]


async def test_one_whose_frame_meets_a_bug_of_ours_is_closed_and_the_others_go_on(
    bench: OneBench,
) -> None:
    hub = bench()
    unlucky = await hub.plain(await asyncio.to_thread(token, "unlucky"))
    second = await hub.plain(await asyncio.to_thread(token, "second"))
    hub.failures.break_on(1)
    await send(unlucky, 1)
    await send(second, 2)
    error = json.loads(await unlucky.receive_from(timeout=DEADLINE_S))
    assert error["code"] == "bug"
    assert (await unlucky.receive_output(timeout=DEADLINE_S))["code"] == 4500
    assert await acked_through(second, 1) == 1
    assert await asyncio.to_thread(values) == [2]


async def test_a_frame_that_waited_is_of_the_moment_it_came(bench: OneBench) -> None:
    hub = bench(in_flight=1)
    hub.writes.clear()
    socket = await hub.plain(await asyncio.to_thread(token))
    await send(socket, 1, 2)
    await hub.until(lambda: hub.line.budget.frames == 1, "one is taken, one waits")
    await asyncio.sleep(0.1)
    taken_up_at = datetime.now(UTC)
    hub.writes.set()
    assert await acked_through(socket, 2) == 2
    first, second = await asyncio.to_thread(
        lambda: list(Reading.objects.order_by("value").values_list("time", flat=True))
    )
    assert first < second < taken_up_at


async def test_frames_that_waited_longer_than_clocks_are_trusted_are_taken_all_the_same(
    bench: OneBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an outage of minutes: the first commits after it are newer than what waited."""
    monkeypatch.setattr("ingest.clock.TOLERATED_US", 100_000)
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    sockets = [await hub.plain(await asyncio.to_thread(token, f"d{n}")) for n in range(3)]
    for socket in sockets:
        await send(socket, 1)
    await hub.until(lambda: len(hub.line.admission) == 2, "all but one wait")
    await asyncio.sleep(0.2)
    hub.writes.set()
    for socket in sockets:
        assert await acked_through(socket, 1) == 1


async def test_one_that_does_not_take_its_acks_is_not_read_either(bench: OneBench) -> None:
    """Whatever the server lets in: else what it is still to be told would grow with every frame."""
    hub = bench()
    bearer = f"Bearer {await asyncio.to_thread(token, 'deaf')}".encode()
    scope = {"type": "websocket", "headers": [(b"authorization", bearer)]}
    frames = iter([{"type": "websocket.connect"}, *[TEXT] * 20])
    heard: list[str] = []
    takes = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)  # not all at once: acks come while the next is waited for
        return next(frames, None) or await asyncio.get_running_loop().create_future()

    async def take(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await takes.wait()
            heard.append(message["text"])

    deaf = asyncio.create_task(DeviceConsumer.as_asgi(line=hub.line)(scope, receive, take))
    await hub.until(lambda: hub.line.tally.snapshot()["stored"], "its first frames are stored")
    other = await hub.plain(await asyncio.to_thread(token, "other"))
    for seq in range(1, 101):
        await send(other, seq)
        assert await acked_through(other, seq) == 1
    assert hub.line.tally.snapshot()["taken"] - 100 <= 2 * WINDOW
    takes.set()
    await hub.until(lambda: heard and json.loads(heard[-1])["seq"] == 20, "it hears of them all")
    deaf.cancel()
    await asyncio.gather(deaf, return_exceptions=True)


async def test_a_hub_that_ends_takes_nothing_of_what_waits_and_says_bye(bench: OneBench) -> None:
    hub = bench(buffer_readings=1)
    hub.writes.clear()
    first = await hub.plain(await asyncio.to_thread(token, "first"))
    second = await hub.plain(await asyncio.to_thread(token, "second"))
    await send(first, 1)
    await hub.until(lambda: hub.line.budget.frames == 1, "it is taken")
    await send(second, 2, 3)
    await hub.until(lambda: len(hub.line.admission) == 1, "it waits")
    ended = asyncio.create_task(hub.line.stop())
    await hub.until(lambda: hub.line.stopping, "it ends")
    hub.writes.set()
    assert await acked_through(first, 1) == 1
    for socket in (first, second):
        bye = json.loads(await socket.receive_from(timeout=DEADLINE_S))
        assert (bye["type"], bye["code"]) == ("bye", "restart")
        assert (await socket.receive_output(timeout=DEADLINE_S))["code"] == 4503
    assert await ended
    assert await asyncio.to_thread(values) == [1]


async def test_a_hello_that_a_hanging_database_does_not_answer_is_told_to_come_again(
    bench: OneBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "HELLO_WITHIN_S", 0.05)
    hub = bench()
    hub.writes.clear()
    socket = await hub.plain(await asyncio.to_thread(token))
    hello = {"type": "hello", "stream": "porch", "held": {"first": 1, "last": 0}}
    await socket.send_to(text_data=json.dumps(hello))
    heard = json.loads(await socket.receive_from(timeout=DEADLINE_S))
    assert (heard["type"], heard["code"]) == ("error", "unavailable")
    assert heard["retry_after_ms"] > 0
    assert (await socket.receive_output(timeout=DEADLINE_S))["code"] == 4503
