"""What the writer has to say to the event loop: what was committed, and who is told what of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest.buffer import Submission
from ingest.storage import Outcome, Settlement, StreamAnswer, StreamRequest

Parts = list[list[Submission]]  # of a batch, in order


@dataclass(slots=True)
class Flush:
    """Figures of the last committed batch, for the metrics."""

    frames: int
    readings: int
    size_bytes: int
    write_s: float


@dataclass(slots=True)
class Delivery:
    """All that one step of the writer has to say, in order."""

    outcome: Outcome | None = None
    flush: Flush | None = None
    streams: list[tuple[StreamRequest, StreamAnswer | None]] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)  # connections whose frame our own bug broke on
    looked: bool = False  # for the newest commit, the first time or after it could not


def flush_of(part: list[Submission], write_s: float) -> Flush:
    readings = size_bytes = 0
    for submission in part:
        readings += submission.frame.readings
        size_bytes += submission.size_bytes
    return Flush(len(part), readings, size_bytes, write_s)


def broken_off(connection: object, parts: Parts) -> tuple[Delivery, Parts]:
    """A connection our own bug broke on stores nothing more: its frames leave the batch.

    What is said of that, and the parts that remain.
    """
    left = [s for part in parts for s in part if s.connection is connection]
    flush = flush_of(left, 0.0)
    gone = Settlement(connection, left[-1].seq, readings=flush.readings, fenced=True)
    kept = [[s for s in part if s.connection is not connection] for part in parts]
    delivery = Delivery(Outcome([gone], []), flush, broken=[connection])
    return delivery, [part for part in kept if part]
