"""Who is told of a window, and when; the event loop's clock alone is real."""

from __future__ import annotations

import asyncio

from ingest.flow import Budget
from ingest.windows import Windows

MOST = 8


class Told:
    """A connection, and the windows that it heard of; `opened` when any of them opened again."""

    opened: asyncio.Event

    def __init__(self) -> None:
        self.heard: list[int] = []

    def flow(self, window: int) -> bool:
        if window and self.heard:
            Told.opened.set()
        self.heard.append(window)
        return True


def windows(*connections: Told, draws: tuple[float, ...] = (0.0,) * 99) -> Windows:
    left = iter(draws)
    made = Windows(Budget(1_000, 1_000), MOST, lambda: next(left))
    for connection in connections:
        made.enter(connection)
    return made


def test_who_comes_hears_the_window_of_the_moment() -> None:
    one = Told()
    windows(one)
    assert one.heard == [MOST]


def test_nobody_is_told_what_has_not_changed() -> None:
    one = Told()
    made = windows(one)
    made.look(paused=False)
    assert (one.heard, made.told) == ([MOST], 0)


def test_a_pause_is_told_to_all_at_once() -> None:
    one, two = Told(), Told()
    made = windows(one, two)
    made.look(paused=True)
    made.look(paused=True)
    assert one.heard == two.heard == [MOST, 0]
    assert made.told == 2


async def test_after_a_pause_each_opens_at_a_moment_of_its_own() -> None:
    Told.opened = asyncio.Event()
    connections = [Told() for _ in range(50)]
    made = windows(*connections, draws=tuple(n / 50 for n in range(50)))
    made.look(paused=True)
    made.look(paused=False)
    assert sum(one.heard[-1] == MOST for one in connections) == 0
    async with asyncio.timeout(60):
        await Told.opened.wait()
    assert not all(one.heard[-1] for one in connections)
    while made.told < 100:
        Told.opened.clear()
        async with asyncio.timeout(60):
            await Told.opened.wait()
    assert all(one.heard == [MOST, 0, MOST] for one in connections)


async def test_a_pause_that_comes_while_they_open_ends_it() -> None:
    Told.opened = asyncio.Event()
    soon, never = Told(), Told()
    made = windows(soon, never, draws=(0.0, 1e9, 1e9))
    made.look(paused=True)
    made.look(paused=False)
    async with asyncio.timeout(60):
        await Told.opened.wait()
    opened, waiting = (soon, never) if soon.heard[-1] else (never, soon)
    made.look(paused=True)
    assert opened.heard == [MOST, 0, MOST, 0]
    assert waiting.heard == [MOST, 0]


async def test_who_left_while_they_open_is_not_told() -> None:
    one = Told()
    made = windows(one)
    made.look(paused=True)
    made.look(paused=False)
    made.leave(one)
    await asyncio.sleep(0.01)
    assert one.heard == [MOST, 0]
