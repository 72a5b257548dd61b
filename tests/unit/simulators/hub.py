"""A small hub that speaks `weir.v1` honestly and keeps readings in memory, with faults on request.

It shares no code with the real one: what passes here passes by the protocol's text.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.schema import is_what_a_hub_says

LIMITS = {
    "frame_bytes": 1_000,
    "frame_readings": 10,
    "in_flight": 4,
    "frames_per_s": 0,
    "readings_per_s": 0,
    "bytes_per_s": 0,
    "metrics": 2_000,
    "metric_characters": 128,
    "text_characters": 1_024,
    "future_s": 600,
    "ping_s": 20,
}
"""What a welcome announces."""

Fault = Callable[["Connection", int], bool]
"""Called with each frame's number before it is taken; true if the fault struck (the frame is not
taken then)."""


@dataclass
class Stream:
    committed: int = 0
    lost: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0


@dataclass
class Connection:
    """One device's connection: `say` and `cut` are what faults use."""

    socket: ServerConnection
    hub: Hub
    uid: str
    stream: Stream | None = None
    plain_seq: int = 0
    refusing: bool = False

    async def say(self, **message: Any) -> None:
        await self.socket.send(orjson.dumps(is_what_a_hub_says(message)), text=True)

    def cut(self) -> bool:
        self.socket.transport.abort()
        return True


@dataclass
class Hub:
    in_flight: int = 8
    frame_bytes: int = 100_000
    frame_readings: int = 1000
    tokens: dict[str, str] = field(default_factory=dict)
    """uid by token."""
    readings: dict[tuple[str, str, float], object] = field(default_factory=dict)
    streams: dict[tuple[str, str], Stream] = field(default_factory=dict)
    frames: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    connections: int = 0
    url: str = ""

    def authenticate(self, socket: ServerConnection, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.tokens:
            return socket.respond(HTTPStatus.FORBIDDEN, "no such token")
        return None

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        token = socket.request.headers["Authorization"].removeprefix("Bearer ")
        connection = Connection(socket, self, self.tokens[token])
        self.connections += 1
        try:
            async for text in socket:
                await self._receive(connection, orjson.loads(text))
        except ConnectionClosed:
            pass

    async def _receive(self, connection: Connection, message: dict[str, Any]) -> None:
        if message.get("type") == "hello":
            await self._welcome(connection, message)
            return
        stream = connection.stream
        if stream is None:
            connection.plain_seq += 1
            if not self._struck(connection, connection.plain_seq):
                await self._ack(connection, connection.plain_seq, self._store(connection, message))
            return
        seq, expected = message["seq"], stream.committed + 1
        if seq < expected:
            await self._ack(connection, stream.committed, (0, 0, []))
        elif seq > expected:
            if not connection.refusing:
                await connection.say(type="nack", seq=seq, code="out_of_order", expected=expected)
            connection.refusing = True
        elif not self._struck(connection, seq):
            connection.refusing = False
            stored, duplicate, errors = self._store(connection, message)
            stream.committed = seq
            stream.stored += stored
            stream.duplicate += duplicate
            stream.rejected += len(errors)
            if not self._struck(connection, -seq):
                await self._ack(connection, seq, (stored, duplicate, errors))

    def _struck(self, connection: Connection, seq: int) -> bool:
        if self.faults and self.faults[0](connection, seq):
            self.faults.popleft()
            return True
        return False

    async def _welcome(self, connection: Connection, hello: dict[str, Any]) -> None:
        stream = self.streams.setdefault((connection.uid, hello["stream"]), Stream())
        held = hello["held"]
        if held["last"] < stream.committed:
            await connection.say(type="error", code="stream_reused", message="a used name")
            await connection.socket.close(4400)
            return
        skipped = max(0, held["first"] - 1 - stream.committed)
        stream.committed, stream.lost = stream.committed + skipped, stream.lost + skipped
        connection.stream = stream
        await connection.say(
            type="welcome",
            session="s",
            time=0,
            resume={"stream": hello["stream"], **vars(stream)},
            limits=LIMITS
            | {
                "in_flight": self.in_flight,
                "frame_bytes": self.frame_bytes,
                "frame_readings": self.frame_readings,
            },
        )

    async def _ack(
        self, connection: Connection, seq: int, came_to: tuple[int, int, list[dict[str, Any]]]
    ) -> None:
        stored, duplicate, errors = came_to
        counts = {"stored": stored, "duplicate": duplicate, "rejected": len(errors)}
        named = {"errors": errors} if errors else {}
        await connection.say(type="ack", seq=seq, **counts, **named)

    def _store(
        self, connection: Connection, frame: dict[str, Any]
    ) -> tuple[int, int, list[dict[str, Any]]]:
        self.frames.append(frame)
        stored = duplicate = 0
        errors: list[dict[str, Any]] = []
        for sample, (ts, values) in enumerate(samples_of(frame)):
            for metric, value in values.items():
                key = (connection.uid, metric, ts)
                if key not in self.readings:
                    self.readings[key] = value
                    stored += 1
                elif self.readings[key] == value:
                    duplicate += 1
                else:
                    where = {"seq": frame.get("seq"), "sample": sample, "metric": metric}
                    errors.append(where | {"code": "conflict", "message": "another value"})
        return stored, duplicate, errors


def samples_of(frame: dict[str, Any]) -> list[tuple[float, dict[str, Any]]]:
    if "columns" in frame:
        columns = dict(frame["columns"])
        times = columns.pop("ts")
        return [
            (ts, {name: column[i] for name, column in columns.items() if column[i] is not None})
            for i, ts in enumerate(times)
        ]
    return [(sample["ts"], sample["values"]) for sample in frame["readings"]]


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[Hub]:
    async with serve(
        hub.serve,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol("weir.v1")],
        process_request=hub.authenticate,
        compression=None,
    ) as server:
        host, port = server.sockets[0].getsockname()[:2]
        hub.url = f"ws://{host}:{port}/ws/ingest/"
        yield hub


def on(seq: int, strike: Callable[[Connection], bool]) -> Fault:
    """A fault that strikes when frame `seq` comes; `-seq` is after it was committed, before its
    ack."""

    def fault(connection: Connection, number: int) -> bool:
        return number == seq and strike(connection)

    return fault


def cut(connection: Connection) -> bool:
    """The network breaks."""
    return connection.cut()


def refuse(**nack: Any) -> Callable[[Connection], bool]:
    """The frame is answered by a nack, and so not taken."""

    def strike(connection: Connection) -> bool:
        connection.refusing = True
        expected = connection.stream.committed + 1 if connection.stream else 0
        _later(connection.say(type="nack", seq=expected, **nack))
        return True

    return strike


def pause(connection: Connection) -> bool:
    """The hub stops a device in mid-stream, and lets it go on."""

    async def say() -> None:
        await connection.say(type="flow", in_flight=0)
        await (await connection.socket.ping())  # it has heard of the pause
        await connection.say(type="flow", in_flight=connection.hub.in_flight)

    _later(say())
    return False


def close_with(close_code: int, **last: Any) -> Callable[[Connection], bool]:
    """A last word, an `error` if it is no other, then a close."""

    def strike(connection: Connection) -> bool:
        async def end() -> None:
            await connection.say(**{"type": "error"} | last)
            await connection.socket.close(close_code)

        _later(end())
        return True

    return strike


_tasks: set[asyncio.Task[None]] = set()


def _later(work: Any) -> None:
    task = asyncio.ensure_future(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
