"""A reliable device and the hub's sessions over random histories of loss, cuts, nacks and resends.

The database is a list. Whatever happens on the way, each frame is committed once, in order, and
none is acked that is not.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ingest.session import Hello, Limits, Opened, Session, Settlement, Taken
from tests.unit.ingest.frames import NOW_MS, NOW_US

LIMITS = Limits(in_flight=3)


class Database:
    """What was committed of the one stream, and the epoch that may move it."""

    def __init__(self) -> None:
        self.committed: list[int] = []
        self.lost: set[int] = set()
        self.epoch = 0

    @property
    def through(self) -> int:
        return max([0, *self.committed, *self.lost])

    def open(self, said: Hello) -> Opened:
        self.epoch += 1
        self.lost.update(range(self.through + 1, said.first))
        return Opened(1, self.epoch, "s", self.through, len(self.lost), 0, 0, 0)

    def commit(self, epoch: int, seq: int) -> bool:
        if (epoch, seq) != (self.epoch, self.through + 1):
            return False
        self.committed.append(seq)
        return True


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.database = Database()
        self.waiting: deque[tuple[Session, int, int]] = deque()  # the writer's buffer
        self.room = True
        self.held: deque[int] = deque()  # the device's frames that are not acked
        self.last = 0  # the number it gave out last
        self.next = 1  # the frame it sends next
        self.acked = 0
        self.session: Session | None = None
        self.up: deque[str] = deque()
        self.down: deque[dict[str, Any]] = deque()
        self.taken: set[tuple[int, int]] = set()

    @rule(count=st.integers(1, 5))
    def make_frames(self, count: int) -> None:
        self.held.extend(range(self.last + 1, self.last + count + 1))
        self.last += count

    @precondition(lambda self: self.session and self.next <= self.last)
    @rule(count=st.integers(1, 3))
    def send(self, count: int) -> None:
        """What the window lets it send."""
        for _ in range(count):
            if self.next <= min(self.last, self.acked + LIMITS.in_flight):
                assert self.next in self.held
                self._write(self.next)
                self.next += 1

    def _write(self, seq: int) -> None:
        """Its reading is its number, so that a frame taken for another one shows."""
        self.up.append(json.dumps({"seq": seq, "number": seq}))

    @precondition(lambda self: self.session and self.held)
    @rule(pick=st.integers(0, 5))
    def send_again_without_being_asked(self, pick: int) -> None:
        self._write(self.held[pick % len(self.held)])

    @precondition(lambda self: self.session and self.acked)
    @rule()
    def send_what_was_acked(self) -> None:
        self._write(self.acked)

    @precondition(lambda self: self.up)
    @rule(index=st.integers(0, 5))
    def lose_a_message(self, index: int) -> None:
        """No network does this to a WebSocket; a device's own bug does."""
        del self.up[index % len(self.up)]

    @precondition(lambda self: self.up)
    @rule(count=st.integers(1, 9))
    def the_hub_reads(self, count: int) -> None:
        for _ in range(count):
            if self.up:  # a close clears it
                self._read(self.up.popleft())

    def _read(self, text: str) -> None:
        session = self.session
        if session is None:
            return
        came = session.receive(text, NOW_US, None if self.room else ("busy", 100))
        if isinstance(came, Taken):
            epoch = session.stream.epoch if session.stream else 0
            assert came.frame.runs[0].values == [came.seq]
            assert (epoch, came.seq) not in self.taken
            self.taken.add((epoch, came.seq))
            self.waiting.append((session, epoch, came.seq))
        self._answer(session)

    def _answer(self, session: Session) -> None:
        if session is self.session:
            self.down.extend(json.loads(reply) for reply in session.replies)
        session.replies.clear()
        if session.close is not None and session is self.session:
            assert session.close.closes == 4429
            self.cut()

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 2))
    def the_writer_commits(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            session, epoch, seq = self.waiting.popleft()
            if self.database.commit(epoch, seq):
                session.settle(Settlement(session, seq, 1))
                self._answer(session)

    @rule(room=st.booleans())
    def the_buffer_fills_or_empties(self, room: bool) -> None:
        self.room = room

    @precondition(lambda self: self.down)
    @rule(count=st.integers(1, 9))
    def the_device_reads(self, count: int) -> None:
        for _ in range(min(count, len(self.down))):
            self._hear(self.down.popleft())

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "ack":
            assert message["seq"] >= self.acked or message["stored"] == 0
            self._forget(message["seq"])
        elif message["type"] == "nack":
            self.next = message.get("expected", message["seq"])
        elif message["type"] == "welcome":
            self._forget(message["resume"]["committed"])
            self.next = self.acked + 1

    def _forget(self, through: int) -> None:
        self.acked = max(self.acked, through)
        self.next = max(self.next, self.acked + 1)
        while self.held and self.held[0] <= through:
            self.held.popleft()

    @precondition(lambda self: self.session)
    @rule()
    def cut(self) -> None:
        """What is on the wire is gone; what the hub has taken is still on its way."""
        self.session = None
        self.up.clear()
        self.down.clear()

    @precondition(lambda self: self.session is None)
    @rule()
    def connect(self) -> None:
        session = Session(LIMITS, authenticated=True)
        first = self.held[0] if self.held else self.last + 1
        held = {"first": first, "last": self.last}
        said = session.receive(json.dumps({"type": "hello", "stream": "s", "held": held}), NOW_US)
        assert isinstance(said, Hello)
        session.welcome("session", NOW_MS, self.database.open(said))
        self.session = session
        [welcome] = [json.loads(reply) for reply in session.replies]
        session.replies.clear()
        self._hear(welcome)

    @precondition(lambda self: self.session is None and len(self.held) > 1)
    @rule()
    def the_spool_drops_its_oldest(self) -> None:
        self.held.popleft()

    @invariant()
    def each_frame_is_committed_once_and_in_order(self) -> None:
        assert self.database.committed == sorted(set(self.database.committed))
        through = self.database.through
        assert set(self.database.committed) | self.database.lost == set(range(1, through + 1))

    @invariant()
    def nothing_is_acked_that_is_not_committed(self) -> None:
        assert self.acked <= self.database.through

    def teardown(self) -> None:
        """Left alone, with one connection that lasts, all of it arrives."""
        if self.session:
            self.cut()
        self.room = True
        self.connect()
        for _ in range(4 * self.last + 4):
            self.send(3)
            self.the_hub_reads(len(self.up))
            self.the_writer_commits(len(self.waiting))
            self.the_device_reads(len(self.down))
        assert not self.held
        assert self.database.through == self.last
        self.each_frame_is_committed_once_and_in_order()


Histories.TestCase.settings = settings(
    deadline=None,
    max_examples=200,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow],  # how fast it goes is the machine's affair
)
TestHistories = Histories.TestCase
