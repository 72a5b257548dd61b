"""One connection to the server's protocols: real TCP, real Twisted, Daphne and Autobahn.

Only the reactor is not there: the test itself lets the transport read and write, by `turn`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from twisted.internet.main import CONNECTION_LOST
from twisted.internet.tcp import Server as Transport
from twisted.python.failure import Failure

from project.options import Options
from project.server.frames import TEXT, framed, unmasked
from project.server.runner import HubServer

MASK = b"\x01\x02\x03\x04"

HANDSHAKE = (
    b"GET /here/ HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Descriptors:
    """What a transport asks of a reactor: whether it is to be read from, or written to."""

    def __init__(self) -> None:
        self.reads = self.writes = False

    def addReader(self, transport: object) -> None:
        self.reads = True

    def removeReader(self, transport: object) -> None:
        self.reads = False

    def addWriter(self, transport: object) -> None:
        self.writes = True

    def removeWriter(self, transport: object) -> None:
        self.writes = False

    def callLater(self, delay_s: float, function: Any, *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(function, *arguments)


class Peer:
    """A client's end, `socket`, and the server's, which is `transport` and what is above it."""

    def __init__(self, application: Application, **options: Any) -> None:
        self.server = HubServer(
            application, "tcp:0", _nothing, _nothing_to_stop, Options(**options)
        )
        self.descriptors = Descriptors()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.socket = socket.create_connection(listening.getsockname())
            accepted, _ = listening.accept()
        self.socket.setblocking(False)
        channel = self.server.http_factory.buildProtocol(None)
        port: Any = None
        self.transport = Transport(
            accepted, channel, self.socket.getsockname(), port, 1, self.descriptors
        )
        channel.makeConnection(self.transport)
        self.heard = b""
        self._unsaid = bytearray()

    @property
    def protocol(self) -> Any:
        """What the server's end has become."""
        return self.transport.protocol

    def say(self, data: bytes) -> None:
        """Sent in the turns to come, as fast as the server's end lets it."""
        self._unsaid += data

    def say_text(self, text: str) -> None:
        self.say(masked(framed(TEXT, text.encode())))

    async def turn(self, *, hears: bool = True) -> None:
        """What an event loop does, until nothing is left to do; without `hears` nobody reads."""
        for _ in range(200):
            await asyncio.sleep(0)
            self._say()
            if self.descriptors.writes:
                self._lose(self.transport.doWrite())
            if self.descriptors.reads:
                self._lose(self.transport.doRead())
            if hears:
                self._hear()

    async def open(self) -> None:
        """Shake hands, and read the answer away."""
        self.say(HANDSHAKE)
        await self.turn()
        assert self.heard.startswith(b"HTTP/1.1 101 "), self.heard
        self.heard = self.heard.partition(b"\r\n\r\n")[2]

    def close_frame(self) -> tuple[int, str]:
        """The code and the reason of the close frame at the end of what was heard."""
        at = self.heard.rindex(b"\x88")
        frame = self.heard[at:]
        assert len(frame) == 2 + frame[1]
        return int.from_bytes(frame[2:4], "big"), frame[4:].decode()

    def end(self) -> None:
        self.socket.close()
        if not self.transport.disconnected:
            self._lose(CONNECTION_LOST)

    def _lose(self, why: Exception | None) -> None:
        if why is not None:
            self.transport.connectionLost(Failure(why))

    def _say(self) -> None:
        with suppress(OSError):
            while self._unsaid:
                del self._unsaid[: self.socket.send(self._unsaid)]

    def _hear(self) -> None:
        with suppress(OSError):
            while heard := self.socket.recv(1 << 20):
                self.heard += heard


def masked(frame: bytes) -> bytes:
    """A server's frame, as a client would have sent it."""
    head_bytes = {126: 4, 127: 10}.get(frame[1], 2)
    head, payload = frame[:head_bytes], frame[head_bytes:]
    return bytes((head[0], head[1] | 0x80)) + head[2:] + MASK + unmasked(MASK, payload)


def _nothing() -> None:
    pass


async def _nothing_to_stop(within_s: float) -> bool:
    return True
