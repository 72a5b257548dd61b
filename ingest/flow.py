"""How much the hub takes before it has committed: one budget for all, and each device's window.

The budget is what bounds the memory: a frame comes in only while there is room, and then it may be
of any size, so that none is too large for ever. The window is what makes devices send no more than
fits, so that they need not be refused. Knows no connection, no clock and no database.
"""

from __future__ import annotations

import math
from typing import Final

# As so many bytes a frame counts at least: however short its text, it costs about 850 bytes of
# memory while it waits (measured; a text of 256 costs about as much again, a long one 1.5 a byte).
FRAME_LEAST_BYTES: Final = 256
# Of the last so many frames, about, the mean is taken that the window is derived from.
FRAMES_AVERAGED: Final = 256
# A window grows where so much more than the next size would fit, so that it does not swing.
GROWTH_MARGIN: Final = 1.25

# A crowd that was told to come again comes so many in a second, and is let in so fast.
RETURNS_PER_S: Final = 500
RETRY_MOST_MS: Final = 30_000


class Budget:
    """Frames taken and not settled, in bytes of text and in readings, and how many there may be."""

    def __init__(self, capacity_bytes: int = 33_554_432, capacity_readings: int = 200_000) -> None:
        self.capacity_bytes = capacity_bytes
        self.capacity_readings = capacity_readings
        self.bytes = 0
        self.readings = 0
        self.frames = 0
        self._new_frames = 0
        self._new_bytes = 0
        self._new_readings = 0
        self._mean_share = 0.0

    @property
    def has_room(self) -> bool:
        """Whether another frame may come in, of any size."""
        return self.bytes < self.capacity_bytes and self.readings < self.capacity_readings

    def take(self, size_bytes: int, readings: int) -> None:
        """A frame came in; `size_bytes` as `cost_bytes` says."""
        self.frames += 1
        self.bytes += size_bytes
        self.readings += readings
        self._new_frames += 1
        self._new_bytes += size_bytes
        self._new_readings += readings

    def settle(self, frames: int, size_bytes: int, readings: int) -> None:
        """Frames that were taken are done with."""
        self.frames -= frames
        self.bytes -= size_bytes
        self.readings -= readings

    def mean_share(self) -> float:
        """The part of the budget that a frame takes, in the mean of the newest; 0 before any."""
        if self._new_frames:
            share = max(
                self._new_bytes / self.capacity_bytes, self._new_readings / self.capacity_readings
            )
            weight = min(1.0, self._new_frames / FRAMES_AVERAGED) if self._mean_share else 1.0
            self._mean_share += weight * (share / self._new_frames - self._mean_share)
            self._new_frames = self._new_bytes = self._new_readings = 0
        return self._mean_share


def cost_bytes(size_bytes: int) -> int:
    """What a frame of that text counts in the budget."""
    return max(size_bytes, FRAME_LEAST_BYTES)


def fair_window(current: int, most: int, connections: int, mean_share: float) -> int:
    """How many frames each device may have unacked, so that those of all fit into the budget.

    A power of two or `most`, at least 1. It shrinks at once, and grows where there is room to
    spare: each change is told to every device.
    """
    fits = 1 / (connections * mean_share) if connections and mean_share else math.inf
    lowest = _size(fits, most)
    if lowest < current:
        return lowest
    return max(current, _size(fits / GROWTH_MARGIN, most))


def _size(fits: float, most: int) -> int:
    if fits >= most:
        return most
    return 1 << max(0, int(fits).bit_length() - 1)


def spread_ms(connections: int) -> int:
    """Within what time a crowd is let in or told to come again: not in one instant."""
    return min(RETRY_MOST_MS, connections * 1_000 // RETURNS_PER_S)


def retry_after_ms(least_ms: int, connections: int, draw: float) -> int:
    """When to come again, for one of a crowd; `draw` is uniform between 0 and 1."""
    return round(least_ms * (1 + draw) + spread_ms(connections) * draw)
