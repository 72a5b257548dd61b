"""Frames on their way to the writer, in the order they came.

A batch is a transaction: `take` lends the oldest frames, and then either `settle` forgets them or
`keep` puts them back in front, in order, to be taken again. Nothing is ever dropped here; how much
comes in is bounded before (`flow`). Not safe for threads: the writer holds a lock.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from ingest.reading import Frame


@dataclass(slots=True)
class Submission:
    """A taken frame on its way: whose it is, its number, and the right to move its stream.

    `connection` is only ever compared and handed back. `stream_id` is None on plain connections.
    `taken_s` is by the monotonic clock: the calendar's may jump while it waits. `size_bytes` is
    what it counts in the budget.
    """

    connection: Any
    device_id: int
    token_id: int
    seq: int
    frame: Frame
    taken_s: float
    stream_id: int | None = None
    epoch: int = 0
    size_bytes: int = 0


class Buffer:
    """The writer's waiting room."""

    def __init__(self) -> None:
        self.readings = 0  # waiting and lent
        self._waiting: deque[Submission] = deque()
        self._lent: list[Submission] = []

    def __len__(self) -> int:
        return len(self._waiting) + len(self._lent)

    def add(self, submission: Submission) -> None:
        self._waiting.append(submission)
        self.readings += submission.frame.readings

    def is_due(self, now_s: float, flush_readings: int, flush_interval_s: float) -> bool:
        """Whether a batch is to be taken: enough waits, or the oldest has waited long enough."""
        if not self._waiting:
            return False
        return (
            self.readings >= flush_readings or now_s - self._waiting[0].taken_s >= flush_interval_s
        )

    def take(self, most_readings: int) -> list[Submission]:
        """Lend the oldest frames, at least one, up to `most_readings`; one loan at a time."""
        assert not self._lent, "the last batch is neither settled nor kept"
        readings = 0
        while self._waiting and (not self._lent or readings < most_readings):
            submission = self._waiting.popleft()
            readings += submission.frame.readings
            self._lent.append(submission)
        return list(self._lent)

    def settle(self) -> None:
        """The lent frames are done with."""
        self.readings -= sum(submission.frame.readings for submission in self._lent)
        self._lent.clear()

    def keep(self, rest: list[Submission]) -> None:
        """Those of the lent frames not done with, in their order, go back in front."""
        self.readings += sum(submission.frame.readings for submission in rest)
        self._waiting.extendleft(reversed(rest))
        self.settle()
