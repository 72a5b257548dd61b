"""How much one device may bring: buckets of frames, readings and bytes, filled by the clock.

A bucket is kept as one number, the moment at which it will be full: to bring something moves that
moment on, and nothing else has to happen (the virtual scheduling of ITU-T I.371). So a full bucket
is as good as none and is forgotten, and however long the hub runs, only who has lately brought
something is remembered. A frame is let in while its device's buckets hold anything at all and may
leave them in debt: no frame is too large for ever.

Pure: the time is an argument, in seconds of a clock that never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SWEEP_FROM: Final = 1_024  # devices remembered before it is worth looking who can be forgotten
# Who was refused is asked to wait for this much more than the first drop: with nothing but that,
# each refusal would be followed by one frame and the next refusal.
RELIEF_S: Final = 1.0
# Nobody is asked to wait longer, however deep in debt: it asks again, and may find a raised limit.
WAIT_MOST_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device may bring a second, in the long run; 0 is no limit.

    `burst_s` is for how many seconds of it the buckets have room: after a silence as long as that,
    so much may come at once.
    """

    frames_per_s: float = 1_000
    readings_per_s: float = 50_000
    bytes_per_s: float = 10_000_000
    burst_s: float = 60.0


class Buckets:
    """The buckets of all devices, by device id: over all of a device's connections."""

    def __init__(self, rates: Rates, sweep_from: int = SWEEP_FROM) -> None:
        assert rates.burst_s > 0
        self._frame_s = _seconds_each(rates.frames_per_s)
        self._reading_s = _seconds_each(rates.readings_per_s)
        self._byte_s = _seconds_each(rates.bytes_per_s)
        self._is_limited = bool(self._frame_s or self._reading_s or self._byte_s)
        self._burst_s = rates.burst_s
        self._relief_s = min(RELIEF_S, rates.burst_s / 2)
        self._sweep_from = self._sweep_at = sweep_from
        self._full_at_s: dict[int, list[float]] = {}  # frames, readings, bytes

    def __len__(self) -> int:
        """How many devices are remembered."""
        return len(self._full_at_s)

    def wait_s(self, device_id: int, now_s: float) -> float:
        """0 while the device may bring a frame; else how long it is asked to wait."""
        full_at_s = self._full_at_s.get(device_id)
        if full_at_s is None:
            return 0.0
        over_s = max(full_at_s) - now_s - self._burst_s
        return min(over_s + self._relief_s, WAIT_MOST_S) if over_s >= 0 else 0.0

    def scarcest(self, device_id: int) -> str:
        """Of a device that has to wait: what it brought too much of."""
        full_at_s = self._full_at_s[device_id]
        return ("frames", "readings", "bytes")[full_at_s.index(max(full_at_s))]

    def take(self, device_id: int, readings: int, text_bytes: int, now_s: float) -> None:
        """A frame of the device came in."""
        if not self._is_limited:
            return
        full_at_s = self._full_at_s.get(device_id)
        if full_at_s is None:
            if len(self._full_at_s) >= self._sweep_at:
                self._sweep(now_s)
            full_at_s = self._full_at_s[device_id] = [now_s, now_s, now_s]
        full_at_s[0] = max(now_s, full_at_s[0]) + self._frame_s
        full_at_s[1] = max(now_s, full_at_s[1]) + self._reading_s * readings
        full_at_s[2] = max(now_s, full_at_s[2]) + self._byte_s * text_bytes

    def _sweep(self, now_s: float) -> None:
        """Forget who has full buckets; again when twice as many are there, so it costs little."""
        self._full_at_s = {
            device_id: full_at_s
            for device_id, full_at_s in self._full_at_s.items()
            if max(full_at_s) > now_s
        }
        self._sweep_at = max(self._sweep_from, 2 * len(self._full_at_s))


def _seconds_each(per_s: float) -> float:
    return 1 / per_s if per_s else 0.0
