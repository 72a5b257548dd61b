"""Plain frames that wait until they can be taken, and whose turn it is.

A plain device is never told to send a frame again: its connection holds the one it has read, reads
nothing more, and so the device's own sending comes to a halt. What the hub has no room for waits
here, first come, first let in; a connection that only waits for its own acks is not here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True)
class Held:
    """A frame's text that was read at `since_s` of the loop's clock; `done` once it need not wait.

    By that clock, not by the calendar's, which may be what it waits for.
    """

    text: str
    since_s: float
    done: asyncio.Future[None]


class Waiter(Protocol):
    """A connection that holds a text."""

    def attempt(self) -> bool:
        """Offer it once more; False where it is still the hub that cannot take it."""


class Admission:
    """The queue of those who wait for the hub. On the event loop."""

    def __init__(self) -> None:
        # Not a dict: to look for the first of one whose first were deleted, it walks over them.
        self._waiting: OrderedDict[Waiter, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, waiter: Waiter) -> bool:
        return waiter in self._waiting

    def enter(self, waiter: Waiter) -> None:
        """Join the end of the queue; who is in it keeps its place."""
        self._waiting.setdefault(waiter)

    def leave(self, waiter: Waiter) -> None:
        self._waiting.pop(waiter, None)

    def let_in(self) -> None:
        """Let in as many as there is room for: no more are woken than that, and one."""
        while self._waiting:
            waiter = next(iter(self._waiting))
            if not waiter.attempt():
                return
            self.leave(waiter)
