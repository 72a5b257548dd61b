"""The window of this hub's devices: worked out a few times a second, told to each when it changes.

What it should be is `flow`'s; here is who is told, and when. After a pause the windows open one by
one, so that a thousand devices do not send what they kept in one instant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ingest.flow import Budget, fair_window, spread_ms


class Windowed(Protocol):
    """A connection with a window."""

    def flow(self, window: int) -> bool:
        """It may have so many frames unacked from now on; whether its device was told."""


class Windows:
    """See the module. On the event loop; `draw` gives numbers between 0 and 1, at random."""

    def __init__(self, budget: Budget, most: int, draw: Callable[[], float]) -> None:
        self.current = most
        self.told = 0  # flow messages
        self._budget = budget
        self._most = most
        self._draw = draw
        self._connections: set[Windowed] = set()
        self._opening: dict[Windowed, asyncio.TimerHandle] = {}

    def enter(self, connection: Windowed) -> None:
        self._connections.add(connection)
        connection.flow(self.current)

    def leave(self, connection: Windowed) -> None:
        self._connections.discard(connection)
        timer = self._opening.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def look(self, paused: bool) -> None:
        """Work the window out anew, 0 while the hub is paused, and tell who is to know."""
        before = self.current
        fair = fair_window(
            before,
            self._most,
            len(self._connections),
            self._budget.mean_share(),
            self._budget.peak_use(),
        )
        self.current = 0 if paused else fair
        if self.current == before:
            return
        if before == 0:
            self._open()
            return
        # Whose turn to open has not come hears of it then, or stays closed.
        heard = self._connections - self._opening.keys()
        if paused:
            self._stop_opening()
        for connection in heard:
            self._tell(connection)

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        spread_s = spread_ms(len(self._connections)) / 1_000
        for connection in self._connections:
            self._opening[connection] = loop.call_later(
                spread_s * self._draw(), self._tell, connection
            )

    def _stop_opening(self) -> None:
        for timer in self._opening.values():
            timer.cancel()
        self._opening.clear()

    def _tell(self, connection: Windowed) -> None:
        self._opening.pop(connection, None)
        self.told += connection.flow(self.current)
