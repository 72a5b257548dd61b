"""Whether a device counts as online, by how long ago it was heard from. Pure.

The pages apply the same rule between two updates; they get the two numbers from here, so that
the word on the first paint and the word a second later cannot differ.
"""

from __future__ import annotations

from enum import StrEnum

# What a device is expected to keep to when nobody said.
DEFAULT_INTERVAL_S = 60.0
# Two frames may be late or lost on an ordinary radio; the third missing one is news.
ONLINE_INTERVALS = 3
# Ten times as long: by then it is not a late frame but a device that is away.
STALE_INTERVALS = 30


class Status(StrEnum):
    """The word beside the dot, as it is shown; also the value of the filter."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"
    NEVER_SEEN = "never seen"

    @property
    def slug(self) -> str:
        return self.value.replace(" ", "-")


def status_of(
    seen_ms: int | None, now_ms: int, interval_s: float | None, relay_interval_s: float
) -> Status:
    """The status at `now_ms` of a device last heard from at `seen_ms`.

    An interval shorter than the relay's counts as the relay's: a dashboard cannot know sooner.
    """
    if seen_ms is None:
        return Status.NEVER_SEEN
    intervals = (now_ms - seen_ms) / 1000 / max(interval_s or DEFAULT_INTERVAL_S, relay_interval_s)
    if intervals <= ONLINE_INTERVALS:
        return Status.ONLINE
    return Status.STALE if intervals <= STALE_INTERVALS else Status.OFFLINE
