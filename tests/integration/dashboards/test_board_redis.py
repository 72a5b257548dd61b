"""The board on a real Redis, which goes away and comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from channels_redis.pubsub import RedisPubSubChannelLayer

from dashboards.live import board as board_module
from dashboards.live import listener as listener_module
from dashboards.live.board import Board
from dashboards.live.listener import GROUP
from dashboards.live.present import DevicePresent, Known
from tests.integration.dashboards.stage import DEADLINE_S, eventually, no_tails, summary
from tests.servers import Redis

KNOWN = Known([DevicePresent("roof")], 0)


@asynccontextmanager
async def started_board(redis: Redis) -> AsyncIterator[Board]:
    layer = RedisPubSubChannelLayer(hosts=[redis.url])
    board = Board(
        layer,
        time.time,
        load_fleet=lambda: KNOWN,
        load_catalogue=lambda: KNOWN,
        load_tails=no_tails,
        interval_s=0.05,
    )
    await board.start()
    yield board
    await board.stop()
    await layer.flush()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener_module, "RETRY_MAX_S", 0.5)
    monkeypatch.setattr(board_module, "STALE_MIN_S", 1.0)


@pytest.fixture
async def board(own_redis: Redis) -> AsyncIterator[Board]:
    async with started_board(own_redis) as board:
        yield board


async def latest_is(board: Board, redis_url: str, value: float) -> None:
    """Publish `value`, as a hub does again and again, until the board shows it."""
    body = orjson.dumps([summary("roof", value, 1000.0 + value)]).decode()
    message = {"type": "live.summary", "hub": "other", "at": 0, "body": body}
    hub = RedisPubSubChannelLayer(hosts=[redis_url])
    end = time.monotonic() + DEADLINE_S
    while (device := board.device("roof")) is None or device.values.get("temperature") != (
        1000.0 + value,
        value,
    ):
        assert time.monotonic() < end, "the board never showed it"
        await hub.group_send(GROUP, message)
        await asyncio.sleep(0.02)
    await hub.flush()


async def test_it_hears_hubs_of_other_processes(board: Board, own_redis: Redis) -> None:
    await latest_is(board, own_redis.url, 21.5)


async def test_it_may_start_before_redis_does(own_redis: Redis) -> None:
    own_redis.stop()
    async with started_board(own_redis) as board:
        await eventually(lambda: board.primed)
        own_redis.start()
        await latest_is(board, own_redis.url, 21.5)


async def test_it_is_stale_while_redis_is_away_and_hears_again_after(
    board: Board, own_redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, logger="channels_redis.pubsub")  # it logs each try
    await latest_is(board, own_redis.url, 21.5)
    own_redis.stop()
    end = time.monotonic() + DEADLINE_S
    while board.stale_since_ms() is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    own_redis.start()
    await latest_is(board, own_redis.url, 30.5)
    assert board.stale_since_ms() is None
