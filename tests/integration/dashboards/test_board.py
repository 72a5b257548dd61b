"""The board on a channel layer that works, loses its members, or is away."""

from __future__ import annotations

import time
from functools import partial

import orjson
import pytest
from prometheus_client import CollectorRegistry

from dashboards.live import priming
from dashboards.live.board import Board
from dashboards.live.listener import GROUP
from dashboards.live.metrics import BoardCollector
from dashboards.live.present import DevicePresent
from tests.integration.dashboards.stage import (
    DEADLINE_S,
    Layer,
    Loaders,
    devices_of,
    eventually,
    look,
    looking,
    summary,
    told,
    until_shown,
    woken,
)


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


async def test_a_deleted_device_is_told_as_removed(board: Board, loaders: Loaders) -> None:
    viewer = looking(board)
    loaders.devices = [DevicePresent("porch")]
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
    board: Board, layer: Layer, loaders: Loaders
) -> None:
    await layer.publish(summary("roof", 21.5), number=7)
    await eventually(partial(told, board, 1))
    loaders.devices = [DevicePresent("roof", values={"temperature": (2000.0, 30.5)})]
    await layer.publish(number=8)
    await layer.publish(number=10)  # the layer lost the ninth
    viewer = looking(board)
    fragment = await until_shown(board, viewer, "roof")
    while fragment["values"] != {"temperature": [2000.0, 30.5]}:
        fragment = await until_shown(board, viewer, "roof")


async def test_it_asks_hubs_to_say_again_what_it_did_not_hear(board: Board, layer: Layer) -> None:
    asked: list[int] = []
    board._repeat = lambda: asked.append(board.summaries)
    await layer.publish(summary(), hub="new", number=1)
    await layer.publish(summary(), hub="older", number=7)
    await eventually(lambda: len(asked) == 1)
    assert asked == [2]
    await layer.publish(summary(), hub="new", number=3)  # the layer lost the second
    await eventually(lambda: len(asked) == 2)


async def test_a_hub_that_said_its_last_word_takes_its_counts_with_it(
    board: Board, layer: Layer
) -> None:
    await layer.publish(summary(), hub="stays", number=1)
    await layer.publish(summary(), hub="goes", number=1)
    await eventually(partial(told, board, 2))
    before = board.device("roof")
    goodbye = {"type": "live.summary", "hub": "goes", "number": 2, "body": "[]", "last": True}
    await layer.group_send(GROUP, goodbye)
    await eventually(partial(told, board, 3))
    after = board.device("roof")
    assert before is not None
    assert after is not None
    assert before.counts["stored"] == 2 * after.counts["stored"] > 0


async def test_what_it_heard_it_does_not_ask_the_database_for(
    board: Board, layer: Layer, loaders: Loaders
) -> None:
    board._listener._silence_s = 10 * DEADLINE_S
    await eventually(lambda: loaders.values_asked > 1)  # at the start, and when it had joined
    values_asked = loaders.values_asked
    for number in (7, 8, 9):
        await layer.publish(summary(), number=number)
    await eventually(partial(told, board, 3))
    asked = loaders.catalogue_asked
    await eventually(lambda: loaders.catalogue_asked > asked + 1)
    assert loaders.values_asked == values_asked


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
    layer: Layer, loaders: Loaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priming, "RETRY_MIN_S", 0.02)
    loaders.away = True
    loaders.devices = [DevicePresent("roof")]
    board = Board(
        layer,
        time.time,
        load_fleet=loaders.load,
        load_catalogue=loaders.load,
        load_tails=loaders.load_tails,
    )
    await board.start()
    await eventually(lambda: layer.groups.get(GROUP))
    assert not board.primed
    loaders.away = False
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
