"""One WebSocket to the hub: text messages in and out by plain calls, no task and no queue.

The handshake, framing, pings and close are those of the `websockets` library; what is replaced is
its queue of received messages and its awaited `send`, which cost a task switch a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.typing import Subprotocol

OPEN_TIMEOUT_S = 15.0
PONG_TIMEOUT_S = 60.0
"""Generous: a simulator that is busy sending must not take its own lateness for a dead hub."""

WRITE_LIMIT_BYTES = 1 << 18
"""Above this much unsent text in a socket the device waits: the hub has stopped reading."""

READ_BYTES = 1 << 14
"""asyncio makes a buffer of this size for every read, by default of 256 kB: with that, a third of
all processor time went into the allocator, for acks of a hundred bytes."""

LINK_LOST = 1006


class Link(ClientConnection):
    """Messages go to the callables given to `attach`; what came before that is kept for them."""

    on_message: Callable[[bytes], None] | None = None
    on_writable: Callable[[], None] | None = None
    _early: tuple[bytes, ...] = ()
    _begun: bytes = b""

    def attach(self, on_message: Callable[[bytes], None], on_writable: Callable[[], None]) -> None:
        self.on_message, self.on_writable = on_message, on_writable
        early, self._early = self._early, ()
        for text in early:
            on_message(text)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # asyncio's own transports keep the size in this attribute; others ignore it.
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]

    def process_event(self, event: Event) -> None:
        # The base class would queue messages for `recv`, which is never called.
        if not isinstance(event, Frame) or event.opcode not in (Opcode.TEXT, Opcode.CONT):
            super().process_event(event)
            return
        text = self._begun + event.data if self._begun else bytes(event.data)
        self._begun = b"" if event.fin else text
        if not event.fin:
            return
        if self.on_message is None:
            self._early += (text,)
        else:
            self.on_message(text)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.on_writable is not None:
            self.on_writable()

    @property
    def writable(self) -> bool:
        return not self.paused and self.protocol.state is State.OPEN

    def write(self, bodies: Iterable[bytes]) -> None:
        """Send text messages in one write; silently not if the connection is closing."""
        if self.protocol.state is not State.OPEN:
            return
        for body in bodies:
            self.protocol.send_text(body)
        self.transport.write(b"".join(self.protocol.data_to_send()))

    async def closed(self) -> int:
        """Wait for the end of the connection; return its close code, 1006 if there was none."""
        await asyncio.shield(self.connection_lost_waiter)
        return self.protocol.close_code or LINK_LOST


async def open_link(url: str, token: str) -> Link:
    """Open a connection; raises what `websockets.connect` raises."""
    link = await connect(
        url,
        subprotocols=[Subprotocol("weir.v1")],
        additional_headers={"Authorization": f"Bearer {token}"},
        compression=None,
        proxy=None,
        open_timeout=OPEN_TIMEOUT_S,
        ping_timeout=PONG_TIMEOUT_S,
        close_timeout=2,
        write_limit=WRITE_LIMIT_BYTES,
        create_connection=Link,
    )
    assert isinstance(link, Link)
    return link
