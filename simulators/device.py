"""One device's side of `weir.v1`, without I/O: numbers frames, keeps them, knows what may be sent.

Inputs are what happens (`add`, `connected`, `received`, `disconnected`); outputs are what to write
(`take_control`, `take_frames`) and what came of it (`take_notes`), each drained by the caller.
The device must not know sockets, files or clocks: the time is an argument, in seconds of any
monotonic clock. The rules are those of the protocol's section "Order, duplicates, resume".

Numbers, always: acked ≤ sent ≤ last, the spool's.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from simulators.notes import (
    Dropped,
    Frame,
    Message,
    Note,
    Outcome,
    Renamed,
    Resumed,
    SetAside,
    Settled,
)
from simulators.spool import Spool
from simulators.window import Window

SPOOL_FRAMES = 2000
"""Frames a device keeps while it cannot send; beyond it drops its oldest, as a small flash does."""

PLAIN_WINDOW_FRAMES = 4
"""What a plain connection keeps unacknowledged: nobody announces a window to it."""

COME_BACK_ANYWAY = frozenset({4408, 4409, 4429})
"""Close codes of 44xx after which a device may come back unchanged."""


class Limits(NamedTuple):
    """What `welcome` announced; 0 means nothing was said."""

    in_flight: int = 0
    frame_bytes: int = 0
    frame_readings: int = 0


def random_name() -> str:
    return secrets.token_hex(8)


@dataclass(slots=True)
class Device:
    uid: str
    reliable: bool = True
    twice: bool = False
    """Each frame is given two numbers and sent twice (plain connections only)."""
    window_cap: int = 0
    spool_frames: int = SPOOL_FRAMES
    name: Callable[[], str] = random_name

    stream: str = field(init=False)
    spool: Spool = field(init=False)
    acked: int = field(init=False, default=0)
    sent: int = field(init=False, default=0)
    limits: Limits = field(init=False, default_factory=Limits)
    window: Window = field(init=False)
    totals: Outcome = field(init=False, default_factory=Outcome)
    open: bool = field(init=False, default=False)
    """Frames may be sent: welcomed, or connected where nobody welcomes."""
    hang_up: bool = field(init=False, default=False)
    """The connection is of no more use; the caller closes it."""
    resend_at_s: float = field(init=False, default=0.0)
    stopped: str = field(init=False, default="")
    """Why this device must not come back; empty while it may."""
    retry_after_ms: int = field(init=False, default=0)
    errors: Counter[str] = field(init=False, default_factory=Counter)
    """Codes of refused readings, nacks and errors, by how often they came."""
    _lost: int = field(init=False, default=0)
    _nacked: bool = field(init=False, default=False)
    _error: Message = field(init=False, default_factory=dict)
    _control: list[bytes] = field(init=False, default_factory=list)
    _notes: list[Note] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.stream = self._new_name()
        self.spool = Spool(self.spool_frames, numbered=self.reliable)
        self.window = Window(self.window_cap)

    def _new_name(self) -> str:
        # A colon cannot be in a stream's name: plain connections are told apart in the ledger.
        return self.name() if self.reliable else f"plain:{self.name()}"

    # Frames in

    def add(self, text: bytes, readings: int, due_s: float) -> None:
        """Take one new frame: its text after `seq`, ending with the closing brace."""
        for _ in range(2 if self.twice else 1):
            dropped = self.spool.add(text, readings, due_s)
            if dropped is not None:
                self._notes.append(Dropped(self.stream, dropped))

    @property
    def in_flight(self) -> int:
        return self.sent - self.acked

    @property
    def room(self) -> int:
        """How many more frames could be sent at once, those waiting in the spool taken off."""
        if not self.open or self.hang_up:
            return 0
        return self.window.frames - (self.spool.last - self.acked)

    # Out

    def take_control(self) -> list[bytes]:
        control, self._control = self._control, []
        return control

    def take_frames(self, now_s: float) -> list[Frame]:
        """The frames to be written now, in order; they count as sent."""
        room = self.window.frames - self.in_flight
        if not self.open or self.hang_up or room <= 0 or not self.spool or now_s < self.resend_at_s:
            return []
        frames = self.spool.following(self.sent, room)
        if frames is None:
            # The next number due was dropped: only a new `held` can tell the hub. Not before there
            # is room, because a paused hub keeps whom it welcomed and may refuse who comes back.
            self.hang_up = True
            return []
        for frame in frames:
            frame.tries += 1
        self.sent += len(frames)
        return frames

    def take_notes(self) -> list[Note]:
        notes, self._notes = self._notes, []
        return notes

    def take_retry_after_ms(self) -> int:
        """How long the hub asked to stay away; it asked once."""
        asked_ms, self.retry_after_ms = self.retry_after_ms, 0
        return asked_ms

    # The connection

    def connected(self) -> None:
        """A connection is open: say hello, or, plain, just begin."""
        self.retry_after_ms = 0
        self._error = {}
        if not self.reliable:
            self.open = True
            self.window.announce(self.limits.in_flight or PLAIN_WINDOW_FRAMES)
            return
        self._notes += [Dropped(self.stream, frame) for frame in self.spool.make_room()]
        held = {"first": self.spool.first, "last": self.spool.last}
        self._control.append(orjson.dumps({"type": "hello", "stream": self.stream, "held": held}))

    def disconnected(self, code: int) -> None:
        """The connection ended with this close code (1006 if with none)."""
        error, nacked = self._error, self._nacked
        self.open = self.hang_up = self._nacked = False
        self.window.shut()
        self.sent = self.acked
        self.resend_at_s = 0.0
        if code == 4400 and error.get("code") == "stream_reused":
            self._begin_anew()
        elif code == 4400 and self._set_aside(error.get("seq")):
            pass
        elif code == 4400 and nacked:
            # Only while a nack is outstanding does the hub not say which frame it was; resent
            # in order after the resume, it is refused again, by its number.
            pass
        elif 4400 <= code < 4500 and code not in COME_BACK_ANYWAY:
            said = f"{error['code']}: {error.get('message')}" if error.get("code") else "no reason"
            self.stopped = f"the hub closed the connection with {code} ({said})"
        if not self.reliable and not self.stopped:
            self._begin_anew()

    def turned_away(self, status: int, retry_after_s: int = 0) -> None:
        """The handshake was answered by this HTTP status instead of a WebSocket."""
        self.retry_after_ms = retry_after_s * 1000
        self.errors[f"http_{status}"] += 1
        if status in (401, 403):
            self.stopped = f"it was refused: is the URL's path right? (HTTP {status})"
        elif status < 500 and status not in (408, 425, 429):
            self.stopped = f"no hub answers at this URL (HTTP {status})"

    def _begin_anew(self) -> None:
        """Take a new stream name and number what is held from 1; under the old one it is gone."""
        if self.spool:
            self._notes.append(Renamed(self.stream, self.spool[0].seq, self.spool[-1].seq))
        self.spool.renumber()
        self.stream, self.totals = self._new_name(), Outcome()
        self.acked = self.sent = self._lost = 0

    def _set_aside(self, seq: object) -> bool:
        """Put an empty frame in the place of the one the hub could not parse, if it is held."""
        frame = self.spool.set_aside(seq)
        if frame is not None:
            self._notes.append(SetAside(self.stream, frame))
            return True
        # A full spool may have dropped it meanwhile.
        return isinstance(seq, int) and seq < self.spool.first

    # Messages

    def received(self, text: bytes, now_s: float) -> None:
        """Take one message of the hub; one that says nothing to this version is ignored."""
        try:
            self._answer(orjson.loads(text), now_s)
        except (ValueError, TypeError, KeyError, AttributeError):
            self.errors["unreadable_answer"] += 1
            self.hang_up = True

    def _answer(self, message: Message, now_s: float) -> None:
        match message.get("type"):
            case "ack":
                self._ack(message)
            case "nack":
                self._nack(message, now_s)
            case "flow":
                self.window.announce(message["in_flight"])
            case "welcome":
                self._welcome(message)
            case "error":
                self._error = message
                self.errors[message.get("code", "error")] += 1
                self.retry_after_ms = message.get("retry_after_ms") or self.retry_after_ms
            case "bye":
                # The last acks came before it: nothing more is to be had here.
                self.retry_after_ms = message.get("retry_after_ms") or 0
                self.hang_up = True

    def _welcome(self, message: Message) -> None:
        limits = message.get("limits", {})
        self.limits = Limits(*(limits.get(name, 0) for name in Limits._fields))
        if "in_flight" in limits:
            self.window.announce(limits["in_flight"])
        if not self.reliable:
            return
        resume = message["resume"]
        totals = _outcome(resume)
        # A stream the hub had forgotten counts from nothing again: then this is no news.
        news = Outcome(*(max(0, a - b) for a, b in zip(totals, self.totals, strict=True)))
        committed = self._given_out(resume["committed"])
        frames = self._settle(committed)
        self.acked = self.sent = committed
        self.totals = totals
        lost = resume["lost"]
        newly_lost, self._lost = max(0, lost - self._lost), lost
        self._notes.append(Resumed(self.stream, committed, lost, newly_lost, totals, news, frames))
        self.open = True

    def _ack(self, message: Message) -> None:
        through = self._given_out(message["seq"])
        frames = self._settle(through)
        outcome = _outcome(message)
        self.totals += outcome
        errors = message.get("errors", [])
        for error in errors:
            self.errors[error["code"]] += error.get("count", 1)
        self._notes.append(
            Settled(self.stream, through, outcome, errors, "errors_truncated" in message, frames)
        )

    def _given_out(self, seq: int) -> int:
        if not 0 <= seq <= self.spool.last:
            raise ValueError(f"the hub names frame {seq}, the last one was {self.spool.last}")
        return seq

    def _settle(self, through: int) -> list[Frame]:
        frames = self.spool.settle(through)
        if through > self.acked:
            self.window.widen(through - self.acked)
            self.acked = through
            self.sent = max(self.sent, through)
            self._nacked = False
        return frames

    def _nack(self, message: Message, now_s: float) -> None:
        self.errors[message["code"]] += 1
        expected: int = message.get("expected") or message["seq"]
        if not self.acked < expected <= self.spool.last:
            return
        # Go back: everything above it is dropped unanswered until the expected one comes.
        self.sent = expected - 1
        self.window.narrow()
        self.resend_at_s = now_s + message.get("retry_after_ms", 0) / 1000
        self._nacked = True


def _outcome(message: Message) -> Outcome:
    return Outcome(message["stored"], message["duplicate"], message["rejected"])
