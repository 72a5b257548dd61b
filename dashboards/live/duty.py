"""How much may be read now, so that reading takes no more than its share of the time. Pure.

It measures what reading takes, whatever that depends on: the database, the machine, who else works.
"""

from __future__ import annotations


class Duty:
    """Time is earned as it goes by and spent by reading; what is not spent is kept for a while."""

    def __init__(self, share: float, kept_s: float, now_s: float) -> None:
        """`kept_s` is the most time that can be spent at once; it is there at the start."""
        self._share = share
        self._kept_s = kept_s
        self._earned_s = kept_s
        self._now_s = now_s
        self._one_s = kept_s / 10  # what one takes; a careful guess, until it was measured

    def affords(self, now_s: float) -> int:
        """How many may be read at `now_s`, of a clock that is never set."""
        self._earned_s += self._share * (now_s - self._now_s)
        self._earned_s = min(self._earned_s, self._kept_s)
        self._now_s = now_s
        if self._earned_s <= 0:
            return 0
        return max(1, int(self._earned_s / self._one_s))

    def spend(self, count: int, took_s: float) -> None:
        """Reading so many took so long."""
        self._earned_s -= took_s
        one_s = took_s / max(count, 1)
        self._one_s = max(one_s, self._one_s + (one_s - self._one_s) / 4)
