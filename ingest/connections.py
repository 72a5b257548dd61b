"""Who is connected to a hub: what the line asks of a connection, and those that were let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from devices.tokens import Bearer
from ingest.gate import Guest
from ingest.places import Replaceable
from ingest.settlement import Settlement
from ingest.windows import Windowed

LAST_WORDS_S: Final = 2.0  # for the hub's goodbye to be taken off its hands


class Sender(Protocol):
    """Whoever a frame is taken from. All calls on the event loop."""

    @property
    def bearer(self) -> Bearer | None: ...

    def settle(self, settlement: Settlement) -> None:
        """Frames of it were committed, or were fenced off."""

    def break_off(self) -> None:
        """One of its frames met a bug of ours."""


class Connection(Sender, Guest, Windowed, Replaceable, Protocol):
    """What the line needs of a device's connection."""

    async def bye(self, retry_after_ms: int) -> None:
        """The hub ends: say so, and close."""


class Connections:
    """Those inside. On the event loop."""

    def __init__(self) -> None:
        self._inside: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, connection: Connection) -> None:
        self._inside.add(connection)

    def leave(self, connection: Connection) -> None:
        self._inside.discard(connection)

    async def say_goodbye(self, retry_after_ms: Callable[[], int]) -> None:
        """To everybody at once; who does not take it in time is cut off without."""
        byes = [
            asyncio.ensure_future(connection.bye(retry_after_ms())) for connection in self._inside
        ]
        if byes:
            _, slow = await asyncio.wait(byes, timeout=LAST_WORDS_S)
            for bye in slow:
                bye.cancel()
