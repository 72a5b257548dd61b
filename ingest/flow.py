"""How much the hub takes before it has committed: one budget for all, and each device's window.

The budget is what bounds the memory: a frame comes in only while there is room, and then it may be
of any size, so that none is too large for ever. The window is what makes devices send no more than
fits, so that they need not be refused. Knows no connection, no clock and no database.
"""

from __future__ import annotations

from typing import Final

# As so many bytes a frame counts at least: however short its text, it costs about 850 bytes of
# memory while it waits (measured; a text of 256 costs about as much again, a long one 1.5 a byte).
FRAME_LEAST_BYTES: Final = 256
# Of the last so many frames, about, the mean is taken that the window is derived from.
FRAMES_AVERAGED: Final = 256
# Parts of the budget. Twice as large a window makes of little not yet much: it does not swing.
MUCH_USED: Final = 0.5
LITTLE_USED: Final = 0.125

# A crowd that was told to come again comes so many in a second, and is let in so fast.
RETURNS_PER_S: Final = 500
RETRY_MOST_MS: Final = 30_000


class Budget:
    """Frames taken and not settled, in bytes of text and in readings, and how many there may be."""

    def __init__(self, capacity_bytes: int = 33_554_432, capacity_readings: int = 200_000) -> None:
        self.capacity_bytes = capacity_bytes
        self.capacity_readings = capacity_readings
        # Since the beginning; what is in flight is the difference. A frame costs one sum of each.
        self._taken_frames = self._taken_bytes = self._taken_readings = 0
        self._settled_frames = self._settled_bytes = self._settled_readings = 0
        self._averaged_frames = self._averaged_bytes = self._averaged_readings = 0
        self._mean_share = 0.0
        self._peak_use = 0.0

    @property
    def frames(self) -> int:
        return self._taken_frames - self._settled_frames

    @property
    def bytes(self) -> int:
        return self._taken_bytes - self._settled_bytes

    @property
    def readings(self) -> int:
        return self._taken_readings - self._settled_readings

    @property
    def has_room(self) -> bool:
        """Whether another frame may come in, of any size."""
        return (
            self._taken_bytes - self._settled_bytes < self.capacity_bytes
            and self._taken_readings - self._settled_readings < self.capacity_readings
        )

    def take(self, size_bytes: int, readings: int) -> None:
        """A frame came in; `size_bytes` as `cost_bytes` says."""
        self._taken_frames += 1
        self._taken_bytes += size_bytes
        self._taken_readings += readings

    def settle(self, frames: int, size_bytes: int, readings: int) -> None:
        """Frames that were taken are done with."""
        self._peak_use = max(self._peak_use, self._use())
        self._settled_frames += frames
        self._settled_bytes += size_bytes
        self._settled_readings += readings

    def peak_use(self) -> float:
        """The most of it that was used since this was asked last, as a part of 1."""
        peak, self._peak_use = max(self._peak_use, self._use()), 0.0
        return peak

    def _use(self) -> float:
        return max(self.bytes / self.capacity_bytes, self.readings / self.capacity_readings)

    def mean_share(self) -> float:
        """The part of the budget that a frame takes, in the mean of the newest; 0 before any."""
        frames = self._taken_frames - self._averaged_frames
        if frames:
            size_bytes = self._taken_bytes - self._averaged_bytes
            readings = self._taken_readings - self._averaged_readings
            share = max(size_bytes / self.capacity_bytes, readings / self.capacity_readings)
            weight = min(1.0, frames / FRAMES_AVERAGED) if self._mean_share else 1.0
            self._mean_share += weight * (share / frames - self._mean_share)
            self._averaged_frames = self._taken_frames
            self._averaged_bytes = self._taken_bytes
            self._averaged_readings = self._taken_readings
        return self._mean_share


def cost_bytes(size_bytes: int) -> int:
    """What a frame of that text counts in the budget."""
    return max(size_bytes, FRAME_LEAST_BYTES)


def fair_window(current: int, most: int, connections: int, mean_share: float, use: float) -> int:
    """How many frames each device may have unacked, from here on.

    `use` is the most of the budget that was used lately. Where it is much, and after a pause, the
    frames of all devices are to fit at once; where it is little, the window grows again: most
    devices say nothing most of the time, and each change is told to every one of them. A power of
    two or `most`, at least 1.
    """
    fits = _size(1 / (connections * mean_share), most) if connections and mean_share else most
    if current == 0:
        return fits
    if use >= MUCH_USED:
        return min(current, fits)
    if use <= LITTLE_USED:
        return min(2 * current, most)
    return current


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
