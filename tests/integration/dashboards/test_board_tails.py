"""The board and its charts: tails come with the updates, and what was lost is to be fetched."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from dashboards.live.board import Board
from dashboards.live.charts import Chart
from dashboards.live.present import DevicePresent
from dashboards.live.selection import Selection
from dashboards.live.subscription import Subscription
from dashboards.live.viewers import Viewer
from tests.integration.dashboards.stage import (
    DEADLINE_S,
    Layer,
    Loaders,
    eventually,
    summary,
    woken,
)

ROOF = Chart("roof/temperature", 1_000, "UTC")


def charting(board: Board) -> Viewer:
    """A viewer of the roof, and of its chart."""
    viewer = board.open()
    board.subscribe(viewer, Subscription(Selection(frozenset({"roof"})), charts=(ROOF,)))
    board.message(viewer)
    return viewer


async def until_told(board: Board, viewer: Viewer) -> dict[str, Any]:
    """The first update that has tails."""
    while True:
        await woken(viewer)
        update: dict[str, Any] = orjson.loads(board.message(viewer)[1])
        if "tails" in update:
            return update


@pytest.fixture(autouse=True)
def patient(board: Board) -> None:
    """A test's hub does not speak all the time; the listener is not to begin anew for that."""
    board._listener._silence_s = 10 * DEADLINE_S


def now() -> float:
    return time.time() * 1_000


async def calm(board: Board, viewer: Viewer) -> None:
    """What the board did not hear before it began is told."""
    [tail] = (await until_told(board, viewer))["tails"]
    assert tail == {**ROOF._asdict(), "history_from": None}


async def test_what_changed_of_a_chart_comes_with_the_update(
    board: Board,
    layer: Layer,
    loaders: Loaders,
) -> None:
    viewer = charting(board)
    await calm(board, viewer)
    before = now()
    await layer.publish(summary("roof", 30.0, now()), summary("porch", 1.0, now()))
    update = await until_told(board, viewer)
    assert update["tails"] == [{"series": "roof/temperature"}]
    assert [device["uid"] for device in update["devices"]] == ["roof"]
    [[wanted]] = loaders.tails_asked
    assert wanted.chart == ROOF
    assert wanted.from_us >= before * 1_000
    assert wanted.after_ms < update["at"]


async def test_dashboards_that_chart_the_same_share_what_is_read(
    board: Board,
    layer: Layer,
    loaders: Loaders,
) -> None:
    viewers = [charting(board) for _ in range(3)]
    for viewer in viewers:
        await calm(board, viewer)
    await layer.publish(summary("roof", 30.0, now()))
    for viewer in viewers:
        assert (await until_told(board, viewer))["tails"] == [{"series": "roof/temperature"}]
    assert len(loaders.tails_asked) == 1


async def test_what_a_lost_summary_had_is_to_be_fetched(board: Board, layer: Layer) -> None:
    viewer = charting(board)
    await calm(board, viewer)
    await layer.publish(number=8)
    await layer.publish(number=10)
    await calm(board, viewer)


async def test_what_was_erased_is_to_be_fetched(
    board: Board,
    loaders: Loaders,
) -> None:
    viewer = charting(board)
    await calm(board, viewer)
    loaders.erasures += 1
    await calm(board, viewer)


async def test_a_back_fill_is_to_be_fetched_from_where_it_begins(
    board: Board,
    layer: Layer,
) -> None:
    viewer = charting(board)
    await calm(board, viewer)
    late = summary("roof", 30.0, now()) | {"since": now() - 3_600_000}
    await layer.publish(late)
    [tail] = (await until_told(board, viewer))["tails"]
    assert tail["history_from"] == late["since"] // 1_000 * 1_000


async def test_a_database_that_does_not_answer_holds_up_no_value(
    board: Board,
    layer: Layer,
    loaders: Loaders,
) -> None:
    viewer = charting(board)
    await calm(board, viewer)
    loaders.away = True
    await layer.publish(summary("roof", 30.0, now()))
    await eventually(lambda: "roof" in viewer.changed)
    assert "tails" not in orjson.loads(board.message(viewer)[1])
    loaders.away = False
    assert (await until_told(board, viewer))["tails"] == [{"series": "roof/temperature"}]


async def test_who_leaves_charts_nothing_any_more(board: Board) -> None:
    viewer = charting(board)
    assert len(board.tails) == 1
    board.close(viewer)
    assert len(board.tails) == 0


async def test_a_value_that_was_erased_goes_and_one_that_came_since_stays(
    board: Board, layer: Layer, loaders: Loaders
) -> None:
    await layer.publish(summary("roof", 30.0, 2_000.0), summary("porch", 1.0, 2_000.0))
    await eventually(lambda: board.summaries)
    loaders.devices = [DevicePresent("roof", values={"temperature": (1_000.0, 29.0)})]
    loaders.devices.append(DevicePresent("porch"))
    loaders.erasures += 1
    roof, porch = {"temperature": (1_000.0, 29.0)}, dict[str, Any]()
    await eventually(lambda: (board.device("roof") or DevicePresent("")).values == roof)
    assert (board.device("porch") or DevicePresent("")).values == porch
