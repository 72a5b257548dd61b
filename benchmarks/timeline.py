"""Puts each run's readings on a stretch of time of its own, with a minute's end in its midst. Pure.

The hub seals a minute when it is over and its grace is. A run of some seconds would mostly see none
of that; so its devices' clocks are behind by as much as puts the end of one of their minutes into
the middle of the run, and the hub's grace is as long. Each run begins after the readings of the one
before, so that none of it is late.
"""

from __future__ import annotations

from typing import Final

MINUTE_S: Final = 60
FIRST_BEHIND_S: Final = 3_600
"""Room for every run to be less behind than the one before; the stored readings are older."""
FIRST_FRAME_S: Final = 2
"""A device's first frame has samples from before its run began, but not from longer before."""


class Timeline:
    """Times in Unix seconds."""

    def __init__(self, now_s: float) -> None:
        self.free_from_s = now_s - FIRST_BEHIND_S

    def behind_s(self, now_s: float, minute_ends_after_s: float) -> float:
        """How far behind clocks must be, that a minute of theirs ends so long after `now_s`."""
        most_s = now_s - self.free_from_s - FIRST_FRAME_S
        phase_s = (now_s + minute_ends_after_s) % MINUTE_S
        behind_s = phase_s + (most_s - phase_s) // MINUTE_S * MINUTE_S
        assert behind_s >= 0, "so many runs need a longer head start"
        return behind_s

    def used_until(self, at_s: float) -> None:
        """Readings are stored, and sealed, up to here."""
        self.free_from_s = max(self.free_from_s, at_s)
