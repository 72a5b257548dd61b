from __future__ import annotations

import asyncio
from typing import Any

import pytest

from project.server.inbox import HIGH_BYTES, HIGH_MESSAGES, LOW_MESSAGES, Inbox


class Reading:
    """What an inbox asks of the socket it belongs to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.inbox = Inbox(lambda: self.asked.append("pause"), lambda: self.asked.append("resume"))

    def put(self, messages: int, size_bytes: int = 1) -> None:
        for n in range(messages):
            self.inbox.put({"n": n}, size_bytes)

    async def take(self, messages: int) -> list[Any]:
        return [(await self.inbox.get())["n"] for _ in range(messages)]


@pytest.fixture
def reading() -> Reading:
    return Reading()


async def test_messages_come_out_in_their_order(reading: Reading) -> None:
    reading.put(3)
    assert await reading.take(3) == [0, 1, 2]


async def test_whoever_waits_gets_the_next_message(reading: Reading) -> None:
    waiting = asyncio.create_task(reading.inbox.get())
    await asyncio.sleep(0)
    reading.put(1)
    assert await waiting == {"n": 0}


async def test_nobody_who_was_cancelled_has_taken_a_message(reading: Reading) -> None:
    waiting = asyncio.create_task(reading.inbox.get())
    await asyncio.sleep(0)
    reading.put(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await reading.take(1) == [0]


async def test_too_many_bytes_pause_it(reading: Reading) -> None:
    reading.put(3, HIGH_BYTES // 4)
    assert reading.asked == []
    reading.put(1, HIGH_BYTES // 4)
    assert reading.asked == ["pause"]


async def test_too_many_messages_pause_it(reading: Reading) -> None:
    reading.put(HIGH_MESSAGES - 1, 0)
    assert reading.asked == []
    reading.put(1, 0)
    assert reading.asked == ["pause"]


async def test_it_is_paused_once_however_much_still_comes(reading: Reading) -> None:
    reading.put(2 * HIGH_MESSAGES)
    assert reading.asked == ["pause"]


async def test_it_is_resumed_once_only_little_is_left(reading: Reading) -> None:
    reading.put(HIGH_MESSAGES)
    await reading.take(HIGH_MESSAGES - LOW_MESSAGES - 1)
    assert reading.asked == ["pause"]
    await reading.take(LOW_MESSAGES + 1)
    assert reading.asked == ["pause", "resume"]


async def test_one_message_larger_than_the_bound_is_taken_and_then_read_on(
    reading: Reading,
) -> None:
    reading.put(1, 10 * HIGH_BYTES)
    assert await reading.take(1) == [0]
    assert reading.asked == ["pause", "resume"]


async def test_when_shut_it_asks_for_no_pause(reading: Reading) -> None:
    reading.put(HIGH_MESSAGES)
    reading.inbox.shut()
    reading.put(HIGH_MESSAGES)
    assert reading.asked == ["pause", "resume"]
