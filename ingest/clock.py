"""Whether this machine's clock can be right: it is not, where it is before the newest commit.

A board without a battery begins in 1970 and is told the time a little later; until then every
true time would be refused as future, and every token as not yet valid. Knows the time only as it
is told.
"""

from __future__ import annotations

from typing import Final

# Clocks are corrected by seconds all the time, and what the database knows of the newest commit
# may be a minute old (`TOUCH_INTERVAL_US`).
TOLERATED_US: Final = 60_000_000


class Clock:
    """The newest commit there was, by the clock of who made it.

    Written by the writer's thread alone, read by any.
    """

    def __init__(self) -> None:
        self.is_known = False
        self.newest_us = 0
        self.floor_us = 0  # a clock that says less is wrong

    def learn(self, newest_us: int) -> None:
        """What the database says, which an operator may have corrected."""
        self.is_known = True
        self.newest_us = newest_us
        self.floor_us = newest_us - TOLERATED_US

    def stamp(self, now_us: int) -> int:
        """The time of a commit that is made now: never before another one's."""
        return max(now_us, self.newest_us)

    def committed(self, at_us: int) -> None:
        """A commit was made, with that stamp."""
        if at_us > self.newest_us:
            self.newest_us = at_us
            self.floor_us = at_us - TOLERATED_US

    def is_behind(self, now_us: int) -> bool:
        return now_us < self.floor_us

    def behind_s(self, now_us: int) -> float:
        """By how much the clock is behind the newest commit; 0 where it is not, or by a little."""
        return (self.newest_us - now_us) / 1_000_000 if self.is_behind(now_us) else 0.0
