"""Two devices that keep a stream: the simulators' own, and one written from the protocol's page.

Both send readings whose value is a number given to no other, and say which of them they were told
are safe, which they gave up, and which they hold. The second one does what a device may and the
first does not (cut anew), and what none should (send again unasked).
"""

from __future__ import annotations

import itertools
import json
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from simulators.device import Device
from simulators.notes import Dropped, Frame, Renamed, Resumed, SetAside, Settled
from tests.unit.ingest.frames import NOW_MS

Kind = Literal["timed", "timeless", "partly refused", "no JSON"]
METRICS = "abcdefgh"
SPOOL_FRAMES = 6

GONE = 1006
LEFT = 1000


class Client(Protocol):
    """A device without its network. `hello` and `outgoing` give texts; `ended` tells a close."""

    safe: set[int]
    given_up: set[int]
    named: Counter[int]
    """Under how many names of streams a reading was held."""
    is_untold: bool
    """It goes by a name that was used before, and has not been told yet."""

    @property
    def name(self) -> str: ...
    @property
    def held(self) -> list[int]: ...
    @property
    def hangs_up(self) -> bool: ...

    def make(self, kind: Kind, readings: Sequence[int]) -> None: ...
    def hello(self) -> bytes: ...
    def outgoing(self, now_s: float) -> list[bytes]: ...
    def hear(self, text: bytes, now_s: float) -> None: ...
    def ended(self, code: int) -> None: ...


def names(owner: str, first: str = "") -> Callable[[], str]:
    """New names of streams, each time others."""
    fresh = (f"{owner}-{next(_named)}" for _ in itertools.count())
    given: Iterator[str] = itertools.chain([first] if first else [], fresh)
    return lambda: next(given)


_named = itertools.count(1)


def text_of(kind: Kind, readings: Sequence[int]) -> str:
    """A frame's text after its `seq`."""
    values = dict(zip(METRICS, readings, strict=False))
    match kind:
        case "timed":
            return f'"ts":{NOW_MS - readings[0]},"values":{json.dumps(values)}}}'
        case "timeless":
            return f'"values":{json.dumps(values)}}}'
        case "partly refused":
            return f'"values":{json.dumps(values | {"no metric": 1})}}}'
        case "no JSON":
            return f"oops {list(readings)}}}"


class Simulator:
    """The simulators' device."""

    def __init__(self, owner: str, old_name: str = "") -> None:
        self.device = Device(owner, spool_frames=SPOOL_FRAMES, name=names(owner, old_name))
        self.safe: set[int] = set()
        self.given_up: set[int] = set()
        self.named: Counter[int] = Counter()
        self.is_untold = bool(old_name)
        self._readings: dict[bytes, Sequence[int]] = {}

    @property
    def name(self) -> str:
        return self.device.stream

    @property
    def held(self) -> list[int]:
        return [reading for frame in self.device.spool for reading in self._in(frame)]

    @property
    def hangs_up(self) -> bool:
        return self.device.hang_up

    def make(self, kind: Kind, readings: Sequence[int]) -> None:
        text = text_of(kind, readings).encode()
        self._readings[text] = readings
        self.named.update(readings)
        self.device.add(text, len(readings), 0)
        self._note()

    def hello(self) -> bytes:
        self.device.connected()
        [text] = self.device.take_control()
        return text

    def outgoing(self, now_s: float) -> list[bytes]:
        return [frame.body for frame in self.device.take_frames(now_s)]

    def hear(self, text: bytes, now_s: float) -> None:
        self.device.received(text, now_s)
        assert "unreadable_answer" not in self.device.errors
        self.is_untold = self.is_untold and not self.device.open
        self._note()

    def ended(self, code: int) -> None:
        assert code != 4429, "it keeps to its window"
        was = self.name
        self.device.disconnected(code)
        assert not self.device.stopped
        self.is_untold = self.is_untold and self.name == was
        self._note()

    def _note(self) -> None:
        for note in self.device.take_notes():
            match note:
                case Settled() | Resumed():
                    for frame in note.frames:
                        self.safe.update(self._in(frame))
                case SetAside():
                    assert b"oops" in note.frame.body, "only what is no JSON is set aside"
                    self.given_up.update(self._in(note.frame))
                case Dropped():
                    self.given_up.update(self._in(note.frame))
                case Renamed():
                    self.named.update(self.held)

    def _in(self, frame: Frame) -> Sequence[int]:
        _, _, text = frame.body.partition(b",")
        return self._readings.get(text, ())


@dataclass
class Sketch:
    """Written from the page: what it holds are pairs of a number and what the frame says."""

    owner: str
    old_name: str = ""
    name: str = field(init=False)
    is_untold: bool = field(init=False)
    frames: deque[tuple[int, Kind, Sequence[int]]] = field(init=False, default_factory=deque)
    safe: set[int] = field(init=False, default_factory=set)
    given_up: set[int] = field(init=False, default_factory=set)
    named: Counter[int] = field(init=False, default_factory=Counter)
    hangs_up: bool = field(init=False, default=False)
    may_cut: bool = field(init=False, default=False)
    has_begun: bool = field(init=False, default=False)
    """To send frames on this connection: that is when it can no longer cut."""
    last: int = field(init=False, default=0)
    _next: int = field(init=False, default=1)
    acked: int = field(init=False, default=0)
    _window: int = field(init=False, default=0)
    _until_s: float = field(init=False, default=0)
    _error: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._new_name = names(self.owner, self.old_name)
        self.name = self._new_name()
        self.is_untold = bool(self.old_name)

    @property
    def held(self) -> list[int]:
        return [reading for _, _, readings in self.frames for reading in readings]

    def make(self, kind: Kind, readings: Sequence[int]) -> None:
        self.named.update(readings)
        self._number(kind, readings)

    def _number(self, kind: Kind, readings: Sequence[int]) -> None:
        self.last += 1
        self.frames.append((self.last, kind, readings))

    def hello(self) -> bytes:
        first = self.frames[0][0] if self.frames else self.last + 1
        held = {"first": first, "last": self.last}
        return json.dumps({"type": "hello", "stream": self.name, "held": held}).encode()

    def outgoing(self, now_s: float) -> list[bytes]:
        texts = []
        while self._next <= min(self.last, self.acked + self._window) and now_s >= self._until_s:
            if self._next < self.frames[0][0]:
                self.hangs_up = True
                break
            texts.append(self.text(self._next))
            self._next += 1
        if texts:
            self.may_cut, self.has_begun = False, True
        return texts

    def text(self, seq: int) -> bytes:
        _, kind, readings = self.frames[seq - self.frames[0][0]]
        text = text_of(kind, readings) if readings else '"readings":[]}'
        return f'{{"seq":{seq},{text}'.encode()

    def hear(self, text: bytes, now_s: float) -> None:
        message: dict[str, Any] = json.loads(text)
        match message["type"]:
            case "welcome":
                self._settle(message["resume"]["committed"])
                self._next = self.acked + 1
                self._window = message["limits"]["in_flight"]
                self.may_cut, self.is_untold = True, False
            case "ack":
                self._settle(message["seq"])
            case "nack":
                self._next = message.get("expected", message["seq"])
                self._until_s = now_s + message.get("retry_after_ms", 0) / 1000
            case "flow":
                self._window = message["in_flight"]
            case "error":
                self._error = message
            case "bye":
                self.hangs_up = True

    def _settle(self, through: int) -> None:
        self.acked = max(self.acked, through)
        self._next = max(self._next, self.acked + 1)
        while self.frames and self.frames[0][0] <= through:
            self.safe.update(self.frames.popleft()[2])

    def ended(self, code: int) -> None:
        error, self._error = self._error, {}
        self._window, self._until_s = 0, 0
        self.hangs_up = self.may_cut = self.has_begun = False
        if error.get("code") == "stream_reused":
            self.name, self.is_untold = self._new_name(), False
            self.acked = 0
            self.named.update(self.held)
            self._number_from(0, [(kind, readings) for _, kind, readings in self.frames])
        for i, (seq, _, readings) in enumerate(self.frames):
            if seq == error.get("seq"):
                self.given_up.update(readings)
                self.frames[i] = (seq, "timed", ())

    # What not every device does

    def cut_anew(self, size: int) -> None:
        """Before the first frame on this connection: into frames of at most `size` readings."""
        assert self.may_cut
        anew: list[tuple[Kind, Sequence[int]]] = []
        for kind, frames in itertools.groupby(self.frames, lambda frame: frame[1]):
            parts = [readings for _, _, readings in frames]
            if kind == "timeless":  # the others' texts are of the frame as a whole
                parts = [tuple(itertools.chain(*parts))]
            if kind in ("timeless", "timed"):
                parts = [p[i : i + size] for p in parts for i in range(0, len(p), size)]
            anew += [(kind, readings) for readings in parts]
        self._number_from(self.acked, anew)

    def _number_from(self, last: int, frames: list[tuple[Kind, Sequence[int]]]) -> None:
        self.frames.clear()
        self.last = last
        for kind, readings in frames:
            self._number(kind, readings)
        self._next = last + 1

    def drop_oldest(self) -> None:
        _, _, readings = self.frames.popleft()
        self.given_up.update(readings)
