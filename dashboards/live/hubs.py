"""What is known of the hubs that speak to the board: whom it did not hear, and how they commit.

Pure: the time is given, of a clock that is never set.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# How many hubs are remembered: more than any cluster has. Those that are gone are forgotten by
# their silence long before.
HUBS_KEPT = 1_024
# A hub speaks once an interval, and its word may take a moment.
FRESH_INTERVALS = 2.5


@dataclass(slots=True)
class _Heard:
    at_s: float
    number: int | None
    commit_ms: float | None


class Hubs:
    """Every hub that was heard, oldest word first."""

    def __init__(self, interval_s: float, silence_s: float) -> None:
        """A hub that was silent for `silence_s` is gone."""
        self._interval_s = interval_s
        self._silence_s = silence_s
        self._heard: OrderedDict[str, _Heard] = OrderedDict()

    def missed(self, hub: str, number: int | None) -> bool:
        """Whether a hub of which nothing is known has spoken before."""
        return hub not in self._heard and number is not None and number > 1

    def hear(self, hub: str, number: int | None, commit_ms: float | None, now_s: float) -> bool:
        """Note one summary; whether one before it was lost. A hub numbers what it says."""
        before = self._heard.pop(hub, None)
        self._heard[hub] = _Heard(now_s, number, commit_ms)
        if before is None or before.number is None or number is None:
            return False  # a new hub, or an older one, which does not number
        return number > before.number + 1

    def lose_silent(self, now_s: float) -> list[str]:
        """Forget the hubs that are gone, and name them. They may have committed last what they
        never told."""
        gone = [hub for hub, heard in self._heard.items() if now_s - heard.at_s > self._silence_s]
        kept = [hub for hub in self._heard if hub not in set(gone)]
        gone += kept[: max(0, len(kept) - HUBS_KEPT)]
        for hub in gone:
            self.forget(hub)
        return gone

    def forget(self, hub: str) -> None:
        """It said its last word."""
        self._heard.pop(hub, None)

    def commit_ms(self, now_s: float) -> float | None:
        """The longest mean time of a COMMIT in the last interval; None where nobody committed."""
        fresh_s = FRESH_INTERVALS * self._interval_s
        fresh = [
            heard.commit_ms
            for heard in self._heard.values()
            if heard.commit_ms is not None and now_s - heard.at_s <= fresh_s
        ]
        return max(fresh, default=None)

    @property
    def several(self) -> bool:
        return len(self._heard) > 1
