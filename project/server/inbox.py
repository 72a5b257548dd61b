"""What a WebSocket has brought and its application has not taken yet: a bounded queue.

At its high water it asks for the reading to be paused, at its low water to be resumed. Whoever
fills it may go on to the end of the message at hand: so it holds its high water and one message.
Knows no socket. All on the event loop; one application takes from it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

HIGH_BYTES: Final = 65_536  # as much as Twisted reads at once, and as it lets wait for output
LOW_BYTES: Final = HIGH_BYTES // 4
# A message costs some 400 bytes besides its text: so many empty ones weigh what the bytes may.
HIGH_MESSAGES: Final = 128
LOW_MESSAGES: Final = HIGH_MESSAGES // 4

Message = dict[str, Any]


class Inbox:
    """See the module. `pause` and `resume` are called in turns, `pause` first."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._messages: deque[tuple[Message, int]] = deque()
        self._bytes = 0
        self._full = False
        self._shut = False
        self._waiting: asyncio.Future[None] | None = None

    def put_nowait(self, message: Message) -> None:
        """Never refused: what has been read has to go somewhere."""
        self.put(message, 0)

    def put(self, message: Message, size_bytes: int) -> None:
        self._messages.append((message, size_bytes))
        self._bytes += size_bytes
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
        if self._full or self._shut:
            return
        if self._bytes >= HIGH_BYTES or len(self._messages) >= HIGH_MESSAGES:
            self._full = True
            self._pause()

    async def get(self) -> Message:
        """The next message. When cancelled it has taken none."""
        while not self._messages:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        message, size_bytes = self._messages.popleft()
        self._bytes -= size_bytes
        if self._full and self._bytes <= LOW_BYTES and len(self._messages) <= LOW_MESSAGES:
            self._full = False
            self._resume()
        return message

    def shut(self) -> None:
        """Ask for no pause from now on: what still comes is thrown away by whoever reads it."""
        self._shut = True
        if self._full:
            self._full = False
            self._resume()
