"""How many frames a device lets be unacked: what the hub announced, and no more than it can take.

After a nack the device dares half as many, and acks bring them back: one that answered each `busy`
with a full window sent every frame eight times over.
"""

from __future__ import annotations

import math


class Window:
    """Shut until something is announced; `cap` is the device's own limit, 0 for none."""

    def __init__(self, cap: int = 0) -> None:
        self._cap = cap
        self.shut()

    @property
    def frames(self) -> int:
        return int(min(self._announced, self._pace))

    def shut(self) -> None:
        """The connection is over, and what was announced on it."""
        self._announced = 0
        self._pace = math.inf

    def announce(self, frames: int) -> None:
        """By `welcome` or `flow`; 0 is a pause."""
        self._announced = min(frames, self._cap) if self._cap else frames

    def narrow(self) -> None:
        """A frame was nacked; that it met a pause says nothing of the time after it."""
        if self._announced:
            self._pace = max(1.0, min(self._pace, self._announced) / 2)

    def widen(self, settled: int) -> None:
        """So many frames were settled."""
        self._pace += settled / self._pace
