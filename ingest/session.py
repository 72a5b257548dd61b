"""What one device connection may say, in which order, and what it is told: the rules of `weir.v1`.

Fed with texts and with what the writer settled, it gives out frames to store, replies to send and,
at the end, the reason to close. It knows no socket, no clock and no database: one connection's
rules as one object, after the manner of sans-I/O protocols.

A frame's way: `receive` → `Taken` (goes to the writer) → `settle` → ack in `replies`. What cannot
be taken now is nacked on a reliable connection; on a plain one `receive` says `HOLD`: give the same
text again later, and read nothing else meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ingest import wire
from ingest.close import Close
from ingest.hello import BadHello, Hello, Opened, read_hello
from ingest.limits import Limits
from ingest.reading import Bounds, Frame
from ingest.settlement import Settlement
from ingest.wire import is_seq

# Of the largest window it was told: a device that far beyond it is not listening, 4429.
ABUSE_FACTOR: Final = 2

Message = dict[str, Any] | list[Any]
Refused = tuple[str, int]  # why the hub takes no frame now, a nack's code; and its retry_after_ms


@dataclass(frozen=True, slots=True)
class Taken:
    """A frame that is now the hub's to settle."""

    seq: int
    frame: Frame
    size_bytes: int  # of its text


class Hold:
    """A frame of a plain connection that cannot be taken now."""


HOLD: Final = Hold()


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
    window: int = field(init=False)
    largest_window: int = field(init=False, default=1)  # of those that the device was told
    replies: list[str] = field(default_factory=list)
    close: Close | None = None
    # Frames by what became of them that were not taken, for the metrics.
    ignored: int = 0
    nacked: int = 0
    repeated: int = 0  # frames that it was told, or will be told, are settled
    bounds_met: list[str] = field(default_factory=list)  # for the metrics too; drain it
    _refusing: bool = False  # since the last nack, until the frame that is expected comes
    _refused: int = 0  # frames since then
    _spoken: bool = False

    def __post_init__(self) -> None:
        self.window = self.limits.in_flight

    @property
    def in_flight(self) -> int:
        return self.taken - self.settled

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.window

    @property
    def expected(self) -> int:
        return self.taken + 1

    def receive(
        self, text: str, now_us: int, refusal: Refused | None = None
    ) -> Taken | Hello | Hold | None:
        """A message's text, received at `now_us`. `refusal` says why no frame can be taken now.

        A `Hello` is to be answered with `welcome` or `fail`, before the next message is read.
        """
        if self.close is not None:
            self.ignored += 1
            return None
        ascii_only = text.isascii()
        size_bytes = len(text if ascii_only else text.encode("utf-8", "surrogatepass"))
        if size_bytes > self.limits.frame_bytes:
            self.bounds_met.append("frame_bytes")
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
            return self._plain(message, size_bytes, now_us, refusal)
        return self._reliable(message, size_bytes, now_us, refusal)

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

    def flow(self, window: int) -> bool:
        """At most `window` frames may be unacked from now on; whether the device is told.

        Only one with a stream is: a plain one is not asked to keep to a window, it is held to it.
        """
        if window == self.window:
            return False
        self.window = window
        if self.stream is None or self.close is not None:
            return False
        self.largest_window = max(self.largest_window, window)
        self.replies.append(wire.encode({"type": "flow", "in_flight": window}))
        return True

    def welcome(
        self, session: str, now_ms: int, stream: Opened | None, durable: bool = True
    ) -> None:
        """Answer a `hello` that was let in, with the stream it named, if any.

        `durable`: a power cut does not take what is acked.
        """
        if self.close is not None:  # it was shown out while it was being let in
            return
        self.authenticated = True
        answer: dict[str, Any] = {"type": "welcome", "session": session, "time": now_ms}
        if not durable:
            answer["durable"] = False
        if stream is not None:
            self.stream = stream
            self.taken = self.settled = stream.committed
            self.largest_window = max(self.largest_window, self.window)
            answer["resume"] = stream.resume()
        answer["limits"] = self.limits.announced() | {"in_flight": self.window}
        self.replies.append(wire.encode(answer))

    def bye(self, retry_after_ms: int) -> None:
        """The hub ends: what was acked stays so, and the rest is the device's to send again."""
        if self.close is None:
            self.close = Close(4503, "restart", "the hub ends", retry_after_ms=retry_after_ms)
            bye = {"type": "bye", "code": "restart", "retry_after_ms": retry_after_ms}
            self.replies.append(wire.encode(bye))

    def settle(self, settlement: Settlement) -> None:
        """The writer has passed every frame it names: its commit is the ack's truth."""
        if settlement.fenced:
            self.replaced()
            return
        through = settlement.through
        assert self.settled < through <= self.taken, "the writer settles in order, what was taken"
        self.settled = through
        if self.close is None:
            ack = wire.encode_ack(
                through,
                settlement.stored,
                settlement.duplicate,
                settlement.rejected,
                settlement.refusals,
            )
            self.replies.append(ack)

    def replaced(self) -> None:
        """Another connection, of this hub or of another, has taken the stream over."""
        self.fail(4409, "replaced", "another connection has taken this stream over")

    def _hello(self, message: dict[str, Any]) -> Hello | None:
        if self._spoken:
            # No frame is at fault, so no seq is told for which to send an empty one.
            return self.fail(4400, "bad_message", "hello comes once, before any frame")
        self._spoken = True
        try:
            return read_hello(message)
        except BadHello as error:
            return self.refuse_form(str(error))

    def _plain(
        self, message: Message, size_bytes: int, now_us: int, refusal: Refused | None
    ) -> Taken | Hold | None:
        if isinstance(message, dict) and "seq" in message:
            return self.refuse_form("a frame has a seq only after a hello with a stream")
        if refusal is not None or self.is_full:
            return HOLD
        return self._take(message, size_bytes, now_us)

    def _reliable(
        self, message: Message, size_bytes: int, now_us: int, refusal: Refused | None
    ) -> Taken | None:
        seq: Any = message.get("seq") if isinstance(message, dict) else None
        if not is_seq(seq):
            return self.refuse_form(
                "after hello with a stream each frame has a seq, an integer from 1"
            )
        if seq <= self.taken:
            self.repeated += 1
        if seq <= self.settled:
            self.ignored += 1
            self.replies.append(wire.encode_ack(self.settled, 0, 0, 0, ()))
        elif seq <= self.taken:
            self.ignored += 1  # in flight already: its ack is on its way
        elif seq > self.expected:
            self._nack(seq, "out_of_order", expected=self.expected)
        elif refusal is not None or self.is_full:
            self._expected_came()  # it is answered, though not taken
            if refusal is None:
                self.bounds_met.append("in_flight")
            code, retry_after_ms = refusal or ("busy", self.limits.busy_retry_ms)
            self._nack(seq, code, retry_after_ms=retry_after_ms)
        else:
            self._expected_came()
            return self._take(message, size_bytes, now_us)
        return None

    def _expected_came(self) -> None:
        self._refusing = False
        self._refused = 0

    def _take(self, message: Message, size_bytes: int, now_us: int) -> Taken:
        bounds = Bounds(
            now_us + self.limits.future_s * 1_000_000,
            readings=self.limits.frame_readings,
            metric_characters=self.limits.metric_characters,
            text_characters=self.limits.text_characters,
        )
        frame = wire.decode(message, now_us, bounds)
        if frame.readings > bounds.readings:
            self.bounds_met.append("frame_readings")
        self.taken += 1
        return Taken(self.taken, frame, size_bytes)

    def _nack(self, seq: int, code: str, **more: int) -> None:
        """Refuse to take `seq`; one nack until the expected frame comes, the rest is dropped."""
        self._refused += 1
        if self.in_flight + self._refused > ABUSE_FACTOR * self.largest_window:
            most = self.window
            self.fail(4429, "window_exceeded", f"at most {most} frames may be unacked")
        elif self._refusing:
            self.ignored += 1
        else:
            self._refusing = True
            self.nacked += 1
            self.replies.append(wire.encode({"type": "nack", "seq": seq, "code": code, **more}))
