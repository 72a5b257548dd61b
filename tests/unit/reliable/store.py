"""The database as the protocol's rules see it: streams that are moved, and readings stored once.

Each call is one transaction: what locks would make wait simply comes later.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ingest.hello import Hello, Opened
from ingest.reading import Frame
from ingest.session import Taken
from ingest.settlement import Settlement


@dataclass
class Stored:
    """What became of the readings of one frame."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0


@dataclass
class Store:
    streams: dict[str, Opened] = field(default_factory=dict)
    readings: dict[tuple[str, str, int], int] = field(default_factory=dict)
    """By stream's owner, metric and time."""
    times_stored: Counter[int] = field(default_factory=Counter)
    """By the reading's value: the tests give each reading one of its own."""
    order: dict[str, list[int]] = field(default_factory=dict)
    """The readings in the order they were stored, by stream."""
    _epochs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open(self, hello: Hello) -> Opened | None:
        """A stream for a hello; None where its name was used before."""
        assert hello.stream is not None
        row = self.streams.get(hello.stream) or Opened(1, 0, hello.stream, 0, 0, 0, 0, 0)
        if hello.last < row.committed:
            return None
        skipped = max(0, hello.first - 1 - row.committed)
        self.streams[hello.stream] = replace(
            row,
            epoch=next(self._epochs),
            committed=row.committed + skipped,
            lost=row.lost + skipped,
        )
        return self.streams[hello.stream]

    def commit(self, batch: Sequence[tuple[object, Opened, Taken]]) -> list[Settlement]:
        """Store what may be stored; for each connection in the batch, what it is to be told."""
        settlements: dict[int, Settlement] = {}
        for connection, right, taken in batch:
            settlement = settlements.setdefault(id(connection), Settlement(connection))
            row = self.streams[right.name]
            if (row.epoch, row.committed) != (right.epoch, taken.seq - 1):
                settlement.fenced = True
                continue
            came_to = self._insert(right.name, taken.frame)
            self.streams[right.name] = replace(
                row,
                committed=taken.seq,
                stored=row.stored + came_to.stored,
                duplicate=row.duplicate + came_to.duplicate,
                rejected=row.rejected + came_to.rejected,
            )
            settlement.through = taken.seq
            settlement.stored += came_to.stored
            settlement.duplicate += came_to.duplicate
            settlement.rejected += came_to.rejected
            settlement.refusals += [(taken.seq, refusal) for refusal in taken.frame.refusals]
        return list(settlements.values())

    def _insert(self, stream: str, frame: Frame) -> Stored:
        came_to = Stored(rejected=sum(refusal.count for refusal in frame.refusals))
        owner = stream.partition("-")[0]
        for run in frame.runs:
            for at_us, value in zip(run.times_us, map(int, run.values), strict=True):
                key = owner, run.metric, at_us
                if key in self.readings:
                    assert self.readings[key] == value, "no two readings of a test conflict"
                    came_to.duplicate += 1
                else:
                    self.readings[key] = value
                    self.times_stored[value] += 1
                    self.order.setdefault(stream, []).append(value)
                    came_to.stored += 1
        return came_to
