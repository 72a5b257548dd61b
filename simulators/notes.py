"""Frames, and what a device notes of them: the words that device, ledger and tally share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

Message = dict[str, Any]


@dataclass(slots=True)
class Frame:
    seq: int
    body: bytes
    readings: int
    due_s: float
    """When it should have been sent: the beginning of its ack latency."""
    tries: int = 0
    written: bool = False
    """In the ledger under its present stream and number; the session's to set."""


class Outcome(NamedTuple):
    """What became of some readings."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0

    def __add__(self, other: object) -> Outcome:
        assert isinstance(other, Outcome)
        return Outcome(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
        )


class Settled(NamedTuple):
    """An ack: every frame up to `through` is settled; `frames` are those it took from the spool."""

    stream: str
    through: int
    outcome: Outcome
    errors: list[Message]
    truncated: bool
    frames: list[Frame]


class Resumed(NamedTuple):
    """A `welcome`: `lost` and `totals` are the stream's since its beginning, `newly_lost` and
    `news` what of it was not known yet."""

    stream: str
    committed: int
    lost: int
    newly_lost: int
    totals: Outcome
    news: Outcome
    frames: list[Frame]


class Dropped(NamedTuple):
    """A frame a full spool gave up; whether it had arrived is unknown."""

    stream: str
    frame: Frame


class Renamed(NamedTuple):
    """Frames that go on under another stream's name; whether they had arrived is unknown."""

    stream: str
    first: int
    last: int


class SetAside(NamedTuple):
    """A frame the hub could not read; an empty one takes its number from here on."""

    stream: str
    frame: Frame


Note = Settled | Resumed | Dropped | Renamed | SetAside
