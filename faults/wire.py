"""The network between devices and a hub: a TCP relay that can be cut, stand still, and be slow.

It runs in a thread of its own, and is set from any: `Wire.url` takes the place of the hub's.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

T = TypeVar("T")

PIECE_BYTES = 1 << 16
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the peer sees a reset, and what was on its way is gone."""
BACKLOG = 4096
"""A thousand devices dial at once."""


class Wire:
    """Carries bytes both ways between whoever connects to `port` and `hub_port` on loopback.

    `delay_s` and `bytes_per_s` (0: no bound) hold back each piece, in each direction, of every
    connection. `refusing` resets who connects. With `buffer_bytes` it asks the system for buffers
    of that size towards the hub, so that the hub feels early that nobody takes what it says.
    """

    def __init__(self, hub_port: int, *, buffer_bytes: int = 0) -> None:
        self.hub_port = hub_port
        self._buffer_bytes = buffer_bytes
        self.port = 0
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self.refusing = False
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/ingest/"

    @property
    def connections(self) -> int:
        """Those that reach the hub at this moment."""
        return len(self._pairs)

    def __enter__(self) -> Self:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # it takes two a device
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *exc: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> int:
        """Reset every connection, on both sides; how many there were. New ones are let through."""
        return self._do(self._cut())

    def freeze(self) -> None:
        """A black hole: nothing passes either way and nobody is told. New ones hang as well."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def thaw(self) -> None:
        """What was held passes now."""
        self._loop.call_soon_threadsafe(self._flows.set)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accepted, "127.0.0.1", 0, limit=PIECE_BYTES, backlog=BACKLOG
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self) -> int:
        found = list(self._pairs)
        for pair in found:
            for writer in pair:
                _reset(writer)
        self._pairs.clear()
        return len(found)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._pass(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            return _reset(writer)
        try:
            await self._flows.wait()
            hub_reader, hub_writer = await self._dial()
        except OSError:  # no hub listens: so it looks to the device
            return _reset(writer)
        pair = (writer, hub_writer)
        self._pairs.add(pair)
        ways = [
            asyncio.ensure_future(self._carry(reader, hub_writer)),
            asyncio.ensure_future(self._carry(hub_reader, writer)),
        ]
        try:
            await asyncio.wait(ways)
        finally:
            self._pairs.discard(pair)
            for way in ways:
                way.cancel()
            writer.close()
            hub_writer.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialled = socket.socket()
        try:
            if self._buffer_bytes:
                dialled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
            dialled.setblocking(False)
            await self._loop.sock_connect(dialled, ("127.0.0.1", self.hub_port))
        except OSError:
            dialled.close()
            raise
        return await asyncio.open_connection(sock=dialled, limit=self._buffer_bytes or PIECE_BYTES)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction, until its sender ends it or it is cut; the end is passed on too."""
        try:
            while piece := await reader.read(self._piece_bytes()):
                await self._hold(len(piece))
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except OSError:
            _reset(writer)

    def _piece_bytes(self) -> int:
        """Ten pieces a second where the rate is bounded."""
        if not self.bytes_per_s:
            return PIECE_BYTES
        return max(1, min(PIECE_BYTES, int(self.bytes_per_s / 10)))

    async def _hold(self, length_bytes: int) -> None:
        await self._flows.wait()
        held_s = self.delay_s
        if self.bytes_per_s:
            held_s += length_bytes / self.bytes_per_s
        if held_s:
            await asyncio.sleep(held_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    found: socket.socket | None = writer.get_extra_info("socket")
    if found is not None and found.fileno() >= 0:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
