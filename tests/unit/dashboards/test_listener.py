"""The board's ear, on a layer that answers when the test says so."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from dashboards.live.listener import Listener

DEADLINE_S = 60.0


class Layer:
    """Says nothing, and lets a flush wait for `answer`."""

    def __init__(self) -> None:
        self.flushing = asyncio.Event()
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reading: asyncio.Task[Any] | None = None

    async def new_channel(self) -> str:
        return "channel"

    async def group_add(self, group: str, channel: str) -> None:
        pass

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        pass

    async def receive(self, channel: str) -> dict[str, Any]:
        self.reading = asyncio.current_task()
        message: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        return await message

    async def flush(self) -> None:
        self.flushing.set()
        await self.answer


def listener(layer: Layer) -> Listener:
    def nothing(*_: object) -> None:
        """Nobody is told."""

    return Listener(layer, time.monotonic, silence_s=0.01, on_join=nothing, on_message=nothing)


async def test_it_ends_when_told_to_while_the_layer_answers() -> None:
    layer = Layer()
    running = asyncio.create_task(listener(layer).run())
    await layer.flushing.wait()
    layer.answer.set_result(None)
    running.cancel()
    assert await asyncio.wait([running], timeout=DEADLINE_S) == ({running}, set())
    assert running.cancelled()


async def test_it_leaves_no_task_behind_when_told_to_end_while_the_layer_does_not_answer() -> None:
    layer = Layer()
    running = asyncio.create_task(listener(layer).run())
    await layer.flushing.wait()
    running.cancel()
    assert layer.reading is not None
    ended, _ = await asyncio.wait([running, layer.reading], timeout=DEADLINE_S)
    assert ended == {running, layer.reading}
