"""What a session has to say, sent in order, and the close after its last word."""

from __future__ import annotations

import asyncio
from typing import Any

from ingest import metrics
from ingest.scope import Send
from ingest.session import Session


class Voice:
    """One connection's sending, one message at a time. On the event loop."""

    def __init__(self, session: Session, send: Send) -> None:
        self.is_speaking = False
        self.is_closed = False  # nothing more is said: the close was sent, or nobody listens
        self.ended = asyncio.Event()  # the close has been handed over, or the device has left
        self._session = session
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._telling: asyncio.Task[None] | None = None  # what it was not waiting to hear

    async def drain(self) -> None:
        """Send all that there is to say; nothing where another call is at it, or it is closed."""
        session = self._session
        if self.is_speaking or self.is_closed:
            return
        self.is_speaking = True
        if session.bounds_met:
            metrics.count_bounds(session.bounds_met)
        try:
            while session.replies and not self.is_closed:
                replies, session.replies = session.replies, []
                for text in replies:
                    await self.say({"type": "websocket.send", "text": text})
            if session.close is not None and not self.is_closed:
                self.is_closed = True
                metrics.CLOSED.labels(str(session.close.closes)).inc()
                close = session.close
                await self.say(
                    {"type": "websocket.close", "code": close.closes, "reason": close.code}
                )
                self.ended.set()
        finally:
            self.is_speaking = False

    def wake(self) -> None:
        """Let it speak, in a task of its own."""
        if not self.is_speaking and not self.is_closed:
            self._telling = self._loop.create_task(self.drain())

    async def waited_for(self) -> None:
        """Until the device has taken what it was told without waiting to hear it."""
        if self._telling is not None:
            await asyncio.wait((self._telling,))

    async def say(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError:  # as ASGI has it where the device has left; not every server raises it
            self.leave()

    def leave(self) -> None:
        """Nobody listens any more."""
        self.is_closed = True
        self.ended.set()
