"""What the writer tells a connection of its frames once they are committed: the ack's truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ingest.reading import Refusal


@dataclass(slots=True)
class Settlement:
    """What became of one connection's frames in a committed batch, through frame `through`.

    `fenced`: the stream was taken over, nothing of these frames was stored, and they are not acked.
    `refusals` are (seq of the frame, refusal), in order.
    """

    connection: Any
    through: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    readings: int = 0
    fenced: bool = False
    refusals: list[tuple[int, Refusal]] = field(default_factory=list)
