"""The board on a channel layer that works, loses its members, or is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import orjson
import pytest
from channels.layers import InMemoryChannelLayer
from prometheus_client import CollectorRegistry

from dashboards.live import board as board_module
from dashboards.live import listener as listener_module
from dashboards.live import priming
from dashboards.live.board import Board
from dashboards.live.listener import GROUP
from dashboards.live.metrics import BoardCollector
from dashboards.live.present import DevicePresent
from dashboards.live.selection import Selection
from dashboards.live.subscription import Subscription
from dashboards.live.viewers import Viewer

DEADLINE_S = 10.0
INTERVAL_S = 0.02


class Layer(InMemoryChannelLayer):
    """An in-memory layer that can be taken away, as Redis can."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.deaf = False

    async def flush(self) -> None:
        self.deaf = False
        await super().flush()

    async def group_add(self, group: str, channel: str) -> None:
        if self.away:
            raise ConnectionError("the layer is away")
        await super().group_add(group, channel)

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        if message["type"] == "cut":
            raise ConnectionError("cut")
        return message

    async def cut(self) -> None:
        self.away = True
        await self.group_send(GROUP, {"type": "cut"})
        self.groups.clear()

    async def publish(
        self,
        *devices: dict[str, Any],
        hub: str = "hub",
        number: int | None = None,
        commit_ms: float | None = None,
    ) -> None:
        message = {
            "type": "live.summary",
            "hub": hub,
            "number": number,
            "at": 0,
            "commit_ms": commit_ms,
            "body": orjson.dumps(devices).decode(),
        }
        if not self.deaf:
            await self.group_send(GROUP, message)


class Database:
    """What the board's loaders answer."""

    def __init__(self) -> None:
        self.away = False
        self.devices: list[DevicePresent] = []
        self.values_asked = self.catalogue_asked = 0

    def load(self) -> Sequence[DevicePresent]:
        self.values_asked += 1
        if self.away:
            raise ConnectionError("the database is away")
        return self.devices

    def load_catalogue(self) -> Sequence[DevicePresent]:
        self.catalogue_asked += 1
        return [DevicePresent(device.uid) for device in self.devices]


def summary(uid: str = "roof", value: float = 21.5, ts_ms: float = 1000.0) -> dict[str, Any]:
    counts = {"stored": 1, "duplicate": 0, "rejected": 0}
    values = {"temperature": [ts_ms, value]}
    return {"uid": uid, "name": "", "seen": 1000, "values": values, "counts": counts}


async def eventually(holds: Callable[[], object]) -> None:
    """Return when `holds`; fail when it does not within the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        await asyncio.sleep(0.005)


def told(board: Board, summaries: int) -> bool:
    return board.summaries == summaries


async def woken(viewer: Viewer) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await viewer.wake.wait()


@pytest.fixture
def layer() -> Layer:
    return Layer()


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def board(
    layer: Layer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Board]:
    monkeypatch.setattr(priming, "RETRY_MIN_S", 0.02)
    monkeypatch.setattr(listener_module, "RETRY_MIN_S", 0.02)
    monkeypatch.setattr(listener_module, "REJOIN_INTERVAL_S", 0.05)
    monkeypatch.setattr(priming, "CATALOGUE_INTERVAL_S", 0.05)
    monkeypatch.setattr(board_module, "STALE_MIN_S", 0.3)
    board = Board(
        layer,
        time.time,
        load_fleet=database.load,
        load_catalogue=database.load_catalogue,
        interval_s=INTERVAL_S,
    )
    database.devices = [DevicePresent("roof"), DevicePresent("porch")]
    await board.start()
    await eventually(lambda: board.primed and layer.groups.get(GROUP))
    yield board
    await board.stop()


def look(board: Board, *devices: str, interval_ms: int = 0) -> Viewer:
    """A viewer of these devices, or of all, who is not told anything yet."""
    viewer = board.open()
    selection = Selection(frozenset(devices) if devices else None)
    board.subscribe(viewer, Subscription(selection, interval_ms))
    return viewer


def looking(board: Board, *devices: str) -> Viewer:
    """A viewer who has seen the snapshot."""
    viewer = look(board, *devices)
    board.message(viewer)
    return viewer


def devices_of(message: tuple[int, str]) -> dict[str, Any]:
    return {each["uid"]: each for each in orjson.loads(message[1])["devices"]}


async def until_shown(board: Board, viewer: Viewer, uid: str) -> dict[str, Any]:
    """The fragment of `uid` from the first update that has it."""
    while True:
        await woken(viewer)
        devices = devices_of(board.message(viewer))
        if uid in devices:
            fragment: dict[str, Any] = devices[uid]
            return fragment


async def test_a_started_board_shows_what_the_database_knows(board: Board) -> None:
    assert {"roof", "porch"} == set(devices_of(board.message(look(board))))


async def test_an_update_holds_only_who_changed(board: Board, layer: Layer) -> None:
    viewer = looking(board)
    await eventually(lambda: not board._present.has_changes)
    await woken(viewer)
    board.message(viewer)
    await layer.publish(summary("roof"))
    fragment = await until_shown(board, viewer, "roof")
    assert fragment["values"] == {"temperature": [1000.0, 21.5]}
    assert "porch" not in devices_of(board.message(viewer))


async def test_what_changes_while_an_update_is_in_flight_is_merged_into_the_next(
    board: Board, layer: Layer
) -> None:
    viewer = looking(board)
    for number in range(5):
        await layer.publish(summary("roof", float(number), 1000.0 + number))
        await layer.publish(summary("porch", float(number), 1000.0 + number))
        await eventually(partial(told, board, 2 * number + 2))
    await eventually(lambda: {"roof", "porch"} <= viewer.changed and board.merged > 0)
    devices = devices_of(board.message(viewer))
    assert devices["roof"]["values"] == {"temperature": [1004.0, 4.0]}
    assert devices["porch"]["values"] == {"temperature": [1004.0, 4.0]}


async def test_dashboards_that_keep_up_share_what_was_joined(board: Board, layer: Layer) -> None:
    first, second = looking(board), looking(board)
    await layer.publish(summary("roof"))
    await eventually(lambda: "roof" in first.changed)
    assert first.changed is second.changed


async def test_a_viewer_of_one_device_hears_of_no_other(board: Board, layer: Layer) -> None:
    viewer = look(board, "roof")
    assert set(devices_of(board.message(viewer))) == {"roof"}
    await layer.publish(summary("porch"), summary("roof"))
    await eventually(lambda: viewer.changed)
    assert set(devices_of(board.message(viewer))) == {"roof"}


async def test_a_deleted_device_is_told_as_removed(board: Board, database: Database) -> None:
    viewer = looking(board)
    database.devices = [DevicePresent("porch")]
    await eventually(lambda: viewer.removed)
    message = orjson.loads(board.message(viewer)[1])
    assert message["removed"] == ["roof"]


async def test_it_joins_again_when_the_layer_forgot_it(board: Board, layer: Layer) -> None:
    viewer = looking(board)
    layer.groups.clear()
    await eventually(lambda: layer.groups.get(GROUP))
    await layer.publish(summary("roof", 30.0))
    assert (await until_shown(board, viewer, "roof"))["values"]["temperature"][1] == 30.0


async def test_it_comes_back_when_the_layer_does(board: Board, layer: Layer) -> None:
    viewer = looking(board)
    await layer.cut()
    await eventually(lambda: board.stale_since_ms() is not None)
    layer.away = False
    await eventually(lambda: layer.groups.get(GROUP))
    await layer.publish(summary("roof", 30.0))
    await eventually(lambda: board.stale_since_ms() is None)
    assert (await until_shown(board, viewer, "roof"))["values"]["temperature"][1] == 30.0


async def test_it_begins_anew_where_the_layer_is_silent_without_an_error(
    board: Board, layer: Layer
) -> None:
    layer.deaf = True  # as a connection to Redis that is gone without a word
    await eventually(lambda: not layer.deaf)
    await eventually(lambda: layer.groups.get(GROUP))
    await layer.publish(summary("roof", 30.0))
    await eventually(partial(told, board, 1))


async def test_what_it_did_not_hear_it_reads_from_the_database(
    board: Board, layer: Layer, database: Database
) -> None:
    await layer.publish(summary("roof", 21.5), number=7)
    await eventually(partial(told, board, 1))
    database.devices = [DevicePresent("roof", values={"temperature": (2000.0, 30.5)})]
    await layer.publish(number=8)
    await layer.publish(number=10)  # the layer lost the ninth
    viewer = looking(board)
    fragment = await until_shown(board, viewer, "roof")
    while fragment["values"] != {"temperature": [2000.0, 30.5]}:
        fragment = await until_shown(board, viewer, "roof")


async def test_what_it_heard_it_does_not_ask_the_database_for(
    board: Board, layer: Layer, database: Database
) -> None:
    board._listener._silence_s = 10 * DEADLINE_S
    await eventually(lambda: database.values_asked > 1)  # at the start, and when it had joined
    values_asked = database.values_asked
    for number in (7, 8, 9):
        await layer.publish(summary(), number=number)
    await eventually(partial(told, board, 3))
    asked = database.catalogue_asked
    await eventually(lambda: database.catalogue_asked > asked + 1)
    assert database.values_asked == values_asked


async def test_a_clock_that_is_set_makes_no_silence(board: Board, layer: Layer) -> None:
    ahead_s = 25 * 3600.0
    board._clock = lambda: time.time() + ahead_s
    await layer.publish(summary("roof"))
    await eventually(lambda: board.summaries)
    assert board.stale_since_ms() is None
    await eventually(lambda: board.stale_since_ms() is not None)
    since_ms = board.stale_since_ms() or 0
    assert abs(since_ms - (time.time() + ahead_s) * 1000) < DEADLINE_S * 1000


async def test_silence_of_all_hubs_is_told_with_when_it_began(board: Board, layer: Layer) -> None:
    viewer = looking(board)
    await layer.publish(summary("roof"))
    await eventually(lambda: board.stale_since_ms() is not None)
    stale_since = orjson.loads(board.message(viewer)[1])["stale_since"]
    assert abs(stale_since - time.time() * 1000) < DEADLINE_S * 1000
    await layer.publish()
    await eventually(lambda: board.stale_since_ms() is None)
    assert orjson.loads(board.message(viewer)[1])["stale_since"] is None


async def test_a_summary_that_cannot_be_read_harms_no_other(board: Board, layer: Layer) -> None:
    await layer.group_send(GROUP, {"type": "live.summary", "hub": "old", "at": 0, "body": "{"})
    await layer.publish({"uid": "roof"})
    await layer.publish(summary("roof", 30.0))
    await eventually(lambda: board.summaries)
    assert board.summaries_refused == 2


async def test_it_primes_when_the_database_comes_back(
    layer: Layer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priming, "RETRY_MIN_S", 0.02)
    database.away = True
    database.devices = [DevicePresent("roof")]
    board = Board(layer, time.time, load_fleet=database.load, load_catalogue=database.load)
    await board.start()
    await eventually(lambda: layer.groups.get(GROUP))
    assert not board.primed
    database.away = False
    await eventually(lambda: board.primed)
    assert [device.uid for device in board.devices()] == ["roof"]
    await board.stop()


async def test_its_figures_are_exported(board: Board, layer: Layer) -> None:
    registry = CollectorRegistry()
    registry.register(BoardCollector(board))
    board.open()
    await layer.publish(summary())
    await eventually(lambda: board.summaries == 1)
    assert registry.get_sample_value("weir_dashboards") == 1
    assert registry.get_sample_value("weir_summaries_total") == 1
    assert registry.get_sample_value("weir_board_stale") == 0
