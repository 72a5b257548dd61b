"""The frames a device holds: numbered as they come, in order, kept until they are settled.

Numbers only rise, by one for each frame; what is held are the frames above the last one settled,
but for those that a full spool dropped. It knows nothing of connections.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from simulators.notes import Frame

SPARE_PART = 10


class Spool:
    """`last` is the number that was given out last."""

    def __init__(self, capacity: int, *, numbered: bool) -> None:
        """`numbered`: a frame's number is in its text, as on reliable connections."""
        self.last = 0
        self._capacity = capacity
        self._numbered = numbered
        self._frames: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]

    @property
    def first(self) -> int:
        """The oldest number held, `last` + 1 where none is."""
        return self._frames[0].seq if self._frames else self.last + 1

    def add(self, text: bytes, readings: int, due_s: float) -> Frame | None:
        """Take a new frame: its text after `seq`, ending with the closing brace. The oldest one
        if it had to make room."""
        self.last += 1
        body = b'{"seq":%d,%b' % (self.last, text) if self._numbered else b"{" + text
        self._frames.append(Frame(self.last, body, readings, due_s))
        return self._frames.popleft() if len(self._frames) > self._capacity else None

    def make_room(self) -> list[Frame]:
        """Drop the oldest until a tenth of the capacity is free: for what comes while a hello is
        answered. In a spool that is full to the brim each new frame drops the one due next, and
        its device says hello for ever."""
        spare = len(self._frames) + self._capacity // SPARE_PART - self._capacity
        return [self._frames.popleft() for _ in range(spare)]

    def following(self, seq: int, count: int) -> list[Frame] | None:
        """At most `count` frames after number `seq`; None where the next one was dropped."""
        start = seq + 1 - self.first
        return None if start < 0 else list(islice(self._frames, start, start + count))

    def settle(self, through: int) -> list[Frame]:
        """Take out the frames up to number `through`."""
        frames = []
        while self._frames and self._frames[0].seq <= through:
            frames.append(self._frames.popleft())
        return frames

    def set_aside(self, seq: object) -> Frame | None:
        """Take one frame out and put an empty one in its place."""
        for i, frame in enumerate(self._frames):
            if frame.seq == seq:
                empty = b'{"seq":%d,"readings":[]}' % frame.seq
                self._frames[i] = Frame(frame.seq, empty, 0, frame.due_s, tries=frame.tries)
                return frame
        return None

    def renumber(self) -> None:
        """Number what is held from 1."""
        for number, frame in enumerate(self._frames, start=1):
            if self._numbered:
                rest = frame.body.removeprefix(b'{"seq":%d' % frame.seq)
                frame.body = b'{"seq":%d%b' % (number, rest)
            frame.seq, frame.written = number, False
        self.last = len(self._frames)
