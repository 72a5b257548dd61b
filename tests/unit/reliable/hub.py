"""A hub process around the real sessions: connections, a writer's queue, and what it is told to do.

Every step that the real one takes by itself, or that can fail in it, is a call.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ingest.hello import Hello, Opened
from ingest.limits import Limits
from ingest.session import Refused, Session, Taken
from ingest.settlement import Settlement
from tests.schema import is_what_a_hub_says
from tests.unit.ingest.frames import NOW_MS, NOW_US
from tests.unit.reliable.clients import GONE
from tests.unit.reliable.store import Store

WINDOW = 3
LIMITS = Limits(in_flight=WINDOW)


@dataclass(eq=False)
class Connection:
    """What is on its way, and what the hub knows. A number on its way down is a close."""

    hub: Hub
    session: Session
    up: deque[bytes] = field(default_factory=deque)
    down: deque[bytes | int] = field(default_factory=deque)
    hub_is_there: bool = True
    has_lost: bool = False
    """A message was lost in it, which only a device's or a hub's bug could do."""
    hello: Hello | None = None
    """Read and not yet answered."""
    acked: int = 0
    refusing: bool = False
    """Since a nack, until the frame that is expected comes."""


class Hub:
    """One process. `die` is the end of all that it has not stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.refusal: Refused | None = None
        self.window = WINDOW
        self._begin()

    def _begin(self) -> None:
        self.connections: list[Connection] = []
        self.waiting: deque[tuple[Connection, Opened, Taken]] = deque()
        self.settled: deque[Settlement] = deque()  # committed; the sessions do not know it yet
        self.streams: dict[str, Connection] = {}

    def die(self) -> None:
        for connection in self.connections:
            connection.hub_is_there = False
            connection.down.append(GONE)
        self._begin()

    def accept(self) -> Connection:
        connection = Connection(self, Session(LIMITS, authenticated=True))
        connection.session.flow(self.window)
        self.connections.append(connection)
        return connection

    def set_window(self, window: int) -> None:
        self.window = window
        for connection in self.connections:
            connection.session.flow(window)
            self._speak(connection)

    def read(self, connection: Connection) -> None:
        """One message; none while a hello waits for its answer."""
        if connection.hello is not None or not connection.up or not connection.hub_is_there:
            return
        session, text = connection.session, connection.up.popleft().decode()
        if seq_of(text) == session.expected:
            connection.refusing = False
        came = session.receive(text, self.clock.tick_us(), self.refusal)
        if isinstance(came, Hello):
            connection.hello = came
        elif isinstance(came, Taken):
            assert session.stream is not None
            self.waiting.append((connection, session.stream, came))
        self._speak(connection)

    def answer(self, connection: Connection) -> None:
        """The hello's transaction, and the welcome."""
        hello, connection.hello = connection.hello, None
        assert hello is not None
        assert hello.stream is not None
        opened = self.store.open(hello)
        if opened is None:
            connection.session.fail(4400, "stream_reused", "come back with a new name")
        else:
            connection.session.welcome("session", NOW_MS, opened)
            connection.acked = opened.committed
            before = self.streams.get(hello.stream)
            self.streams[hello.stream] = connection
            if before is not None:
                before.session.replaced()
                self._speak(before)
        self._speak(connection)

    def write(self, frames: int) -> None:
        """Commit a batch of what was taken."""
        batch = [self.waiting.popleft() for _ in range(min(frames, len(self.waiting)))]
        self.settled.extend(self.store.commit(batch))

    def tell(self) -> None:
        """Let the sessions know what was committed."""
        while self.settled:
            settlement = self.settled.popleft()
            settlement.connection.session.settle(settlement)
            self._speak(settlement.connection)

    def stop(self, *, flushes: bool) -> None:
        """End in order: flush, if the database lets it, last acks, bye."""
        self.write(len(self.waiting) if flushes else 0)
        self.tell()
        for connection in list(self.connections):
            connection.session.bye(500)
            self._speak(connection)
        self._begin()

    def leave(self, connection: Connection) -> None:
        """The process knows that the connection has ended."""
        connection.hub_is_there = False
        if connection in self.connections:
            self.connections.remove(connection)

    def _speak(self, connection: Connection) -> None:
        replies, connection.session.replies = connection.session.replies, []
        if not connection.hub_is_there:
            return
        for text in replies:
            _check(connection, is_what_a_hub_says(json.loads(text)))
            connection.down.append(text.encode())
        if connection.session.close is not None:
            connection.down.append(connection.session.close.closes)
            self.leave(connection)


@dataclass
class Clock:
    """Of hub and devices; no two readings without a time come at the same moment."""

    ticks: int = 0

    def tick_us(self) -> int:
        self.ticks += 1
        return NOW_US + self.ticks

    @property
    def now_s(self) -> float:
        return self.ticks / 1_000


def _check(connection: Connection, message: dict[str, Any]) -> None:
    """What holds of any answers of one connection."""
    match message["type"]:
        case "ack":
            assert message["seq"] >= connection.acked, "acks never go back"
            connection.acked = message["seq"]
        case "nack":
            assert not connection.refusing, "one nack until the expected frame comes"
            connection.refusing = True
        case "error":
            known = {"bad_message", "stream_reused", "replaced", "window_exceeded"}
            assert message["code"] in known


def seq_of(text: str) -> object:
    try:
        return json.loads(text).get("seq")
    except ValueError:
        return None
