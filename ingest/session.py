"""What one device connection may say, in which order, and what it is told: the rules of `weir.v1`.

Fed with texts and with what the writer settled, it gives out frames to store, replies to send and,
at the end, the reason to close. It knows no socket, no clock and no database: one connection's
rules as one object, after the manner of sans-I/O protocols.

A frame's way: `receive` → `Taken` (goes to the writer) → `settle` → ack in `replies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ingest import wire
from ingest.messages import SEQ_MAX
from ingest.reading import Bounds, Frame, Refusal

STREAM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
ABUSE_FACTOR: Final = 2  # windows: a device that far beyond its own is not listening: 4429


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device is told in `welcome`, and held to."""

    frame_bytes: int = 262_144
    frame_readings: int = 10_000
    in_flight: int = 32
    future_s: int = 600
    ping_s: int = 20
    busy_retry_ms: int = 100

    def announced(self) -> dict[str, int]:
        return {
            "frame_bytes": self.frame_bytes,
            "frame_readings": self.frame_readings,
            "in_flight": self.in_flight,
            "future_s": self.future_s,
            "ping_s": self.ping_s,
        }


@dataclass(frozen=True, slots=True)
class Close:
    """Why the hub closes: the protocol's code for the `error` message, and the WebSocket's."""

    closes: int
    code: str
    message: str
    seq: int | None = None
    retry_after_ms: int | None = None

    def text(self) -> str:
        """The `error` message that goes before the close."""
        error: dict[str, Any] = {"type": "error", "code": self.code, "message": self.message}
        if self.seq is not None:
            error["seq"] = self.seq
        if self.retry_after_ms is not None:
            error["retry_after_ms"] = self.retry_after_ms
        return wire.encode(error)


@dataclass(frozen=True, slots=True)
class Hello:
    """A device's `hello`. Without `stream` it only authenticates."""

    token: str | None
    stream: str | None
    first: int = 1
    last: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream as its `hello` transaction left it; `id` and `epoch` are the right to move it."""

    id: int
    epoch: int
    name: str
    committed: int
    lost: int
    stored: int
    duplicate: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that is now the hub's to settle."""

    seq: int
    frame: Frame


@dataclass(slots=True)
class Session:
    """One connection's state. `replies` and `close` are its outputs; drain them after each call.

    Where `close` is set, nothing more is taken and `replies` end with its `error`.
    """

    limits: Limits
    authenticated: bool = False
    stream: Opened | None = None
    taken: int = 0
    settled: int = 0
    replies: list[str] = field(default_factory=list)
    close: Close | None = None
    # Frames by what became of them that were not taken, for the metrics.
    ignored: int = 0
    nacked: int = 0
    _refusing: bool = False  # since the last nack, until the frame that is expected comes
    _refused: int = 0  # frames since then
    _spoken: bool = False

    @property
    def in_flight(self) -> int:
        return self.taken - self.settled

    @property
    def expected(self) -> int:
        return self.taken + 1

    def receive(self, text: str, now_us: int, room: bool = True) -> Taken | Hello | None:
        """A message's text, received at `now_us`. `room` is False while the buffer is full.

        A `Hello` is to be answered with `welcome` or `fail`, before the next message is read.
        """
        if self.close is not None:
            self.ignored += 1
            return None
        if len(text) > self.limits.frame_bytes or (
            not text.isascii()
            and len(text.encode("utf-8", "surrogatepass")) > self.limits.frame_bytes
        ):
            return self.fail(
                4413, "frame_too_large", f"a frame has at most {self.limits.frame_bytes} bytes"
            )
        try:
            message = wire.parse(text)
        except wire.NotJson as error:
            return self.refuse_form(str(error))
        if (
            isinstance(message, dict)
            and message.get("type") == "hello"
            and not wire.has_readings(message)
        ):
            return self._hello(message)
        self._spoken = True
        if not self.authenticated:
            return self.fail(
                4401, "token_missing", "show a token first: Authorization: Bearer, or hello"
            )
        if self.stream is None:
            return self._plain(message, now_us, room)
        return self._reliable(message, now_us, room)

    def refuse_form(self, reason: str) -> None:
        """Close for what cannot be read, with the seq to send an empty frame for, if one is due."""
        due = self.stream is not None and not self._refusing
        self.fail(4400, "bad_message", reason, seq=self.expected if due else None)

    def fail(
        self,
        closes: int,
        code: str,
        message: str,
        seq: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        """End the connection with an `error`; the first reason stands."""
        if self.close is None:
            self.close = Close(closes, code, message, seq, retry_after_ms)
            self.replies.append(self.close.text())

    def welcome(self, session: str, now_ms: int, stream: Opened | None) -> None:
        """Answer a `hello` that was let in, with the stream it named, if any."""
        if self.close is not None:  # it was shown out while it was being let in
            return
        self.authenticated = True
        answer: dict[str, Any] = {"type": "welcome", "session": session, "time": now_ms}
        if stream is not None:
            self.stream = stream
            self.taken = self.settled = stream.committed
            answer["resume"] = {
                "stream": stream.name,
                "committed": stream.committed,
                "lost": stream.lost,
                "stored": stream.stored,
                "duplicate": stream.duplicate,
                "rejected": stream.rejected,
            }
        answer["limits"] = self.limits.announced()
        self.replies.append(wire.encode(answer))

    def settle(
        self,
        through: int,
        stored: int,
        duplicate: int,
        rejected: int,
        refusals: Iterable[tuple[int, Refusal]] = (),
    ) -> None:
        """The writer has passed every frame through `through`: its commit is the ack's truth."""
        assert self.settled < through <= self.taken, "the writer settles in order, what was taken"
        self.settled = through
        if self.close is None:
            self.replies.append(wire.encode_ack(through, stored, duplicate, rejected, refusals))

    def _hello(self, message: dict[str, Any]) -> Hello | None:
        if self._spoken:
            # No frame is at fault, so no seq is told for which to send an empty one.
            return self.fail(4400, "bad_message", "hello comes once, before any frame")
        self._spoken = True
        token, stream, held = message.get("token"), message.get("stream"), message.get("held")
        if token is not None and not isinstance(token, str):
            return self.refuse_form("the token in hello must be a text")
        if stream is None:
            return Hello(token, None)
        if not isinstance(stream, str) or not STREAM.fullmatch(stream):
            return self.refuse_form("a stream's name is 1 to 64 letters, digits, _ and -")
        first: Any = held.get("first") if isinstance(held, dict) else None
        last: Any = held.get("last") if isinstance(held, dict) else None
        if not (_is_seq(first) and (last == 0 or _is_seq(last)) and first <= last + 1):
            return self.refuse_form(
                'hello with a stream carries "held": {"first": …, "last": …}; holding nothing,'
                " first is last + 1"
            )
        return Hello(token, stream, first, last)

    def _plain(self, message: dict[str, Any] | list[Any], now_us: int, room: bool) -> Taken | None:
        if isinstance(message, dict) and "seq" in message:
            return self.refuse_form("a frame has a seq only after a hello with a stream")
        if self.in_flight >= ABUSE_FACTOR * self.limits.in_flight or not room:
            return self.fail(
                4429, "window_exceeded", "wait for acks: too many frames are under way"
            )
        return self._take(message, now_us)

    def _reliable(
        self, message: dict[str, Any] | list[Any], now_us: int, room: bool
    ) -> Taken | None:
        seq: Any = message.get("seq") if isinstance(message, dict) else None
        if not _is_seq(seq):
            return self.refuse_form(
                "after hello with a stream each frame has a seq, an integer from 1"
            )
        if seq <= self.settled:
            self.ignored += 1
            self.replies.append(wire.encode_ack(self.settled, 0, 0, 0, ()))
        elif seq <= self.taken:
            self.ignored += 1  # in flight already: its ack is on its way
        elif seq > self.expected:
            self._nack(seq, "out_of_order", expected=self.expected)
        elif self.in_flight >= self.limits.in_flight or not room:
            self._expected_came()  # it is answered, though not taken
            self._nack(seq, "busy", retry_after_ms=self.limits.busy_retry_ms)
        else:
            self._expected_came()
            return self._take(message, now_us)
        return None

    def _expected_came(self) -> None:
        self._refusing = False
        self._refused = 0

    def _take(self, message: dict[str, Any] | list[Any], now_us: int) -> Taken:
        bounds = Bounds(
            now_us + self.limits.future_s * 1_000_000, readings=self.limits.frame_readings
        )
        frame = wire.decode(message, now_us, bounds)
        self.taken += 1
        return Taken(self.taken, frame)

    def _nack(self, seq: int, code: str, **more: int) -> None:
        """Refuse to take `seq`; one nack until the expected frame comes, the rest is dropped."""
        self._refused += 1
        if self.in_flight + self._refused > ABUSE_FACTOR * self.limits.in_flight:
            most = self.limits.in_flight
            self.fail(4429, "window_exceeded", f"at most {most} frames may be unacked")
        elif self._refusing:
            self.ignored += 1
        else:
            self._refusing = True
            self.nacked += 1
            self.replies.append(wire.encode({"type": "nack", "seq": seq, "code": code, **more}))


def _is_seq(seq: Any) -> bool:
    return seq.__class__ is int and 1 <= seq <= SEQ_MAX
