"""History as buckets: how wide they are, how they join, and laid out in columns. Pure.

A bucket is what the readings of one span come to. Times are integer microseconds since 1970
(`_us`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median_low
from typing import Any

from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US

# Widths people can name. None lies between 10 s and a minute: from there on the rollups serve,
# and a query reads at most ten seconds of raw readings for each point it draws.
STEPS_US = (
    *(ms * 1_000 for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500)),
    *(s * SECOND_US for s in (1, 2, 5, 10)),
    *(m * MINUTE_US for m in (1, 2, 5, 10, 15, 30)),
    *(h * HOUR_US for h in (1, 2, 3, 6, 12)),
)
# A stretch without readings this many times the usual spacing is a gap, and drawn as one.
GAP_SPACINGS = 3


def step_us_for(range_us: int, points: int, wall_range_us: int | None = None) -> int:
    """The narrowest step that covers `range_us` in at most `points` buckets.

    Whole days are counted in `wall_range_us`, the range by the clocks of those who count them.
    """
    wanted = max(1, ceil(range_us / points))
    for step_us in STEPS_US:
        if step_us >= wanted:
            return step_us
    if wall_range_us is not None:
        wanted = ceil(wall_range_us / points)
    return max(1, ceil(wanted / DAY_US)) * DAY_US


@dataclass(slots=True)
class Bucket:
    """Readings of one series from `start_us` on, for one step."""

    start_us: int
    count: int
    sum: float
    min: float
    max: float
    first: float
    first_us: int
    last: float
    last_us: int

    def merge(self, other: Bucket) -> None:
        """Take in the readings of `other`, which may be earlier, later or both."""
        self.count += other.count
        self.sum += other.sum
        self.min = min(self.min, other.min)
        self.max = max(self.max, other.max)
        if other.first_us < self.first_us:
            self.first, self.first_us = other.first, other.first_us
        if other.last_us >= self.last_us:
            self.last, self.last_us = other.last, other.last_us


def merged(parts: Iterable[Bucket]) -> list[Bucket]:
    """One bucket for each beginning, in order of time; it is the first of its parts, grown."""
    buckets: dict[int, Bucket] = {}
    for part in parts:
        if (bucket := buckets.setdefault(part.start_us, part)) is not part:
            bucket.merge(part)
    return [buckets[start_us] for start_us in sorted(buckets)]


def gap_us_for(buckets: Sequence[Bucket], step_us: int, interval_s: float | None) -> int:
    """From which distance on two neighbouring buckets are not joined by a line.

    A device that nobody gave an interval is judged by how far apart its buckets usually lie.
    """
    if interval_s is not None:
        spacing_us = round(interval_s * SECOND_US)
    else:
        starts = [bucket.start_us for bucket in buckets]
        apart = [later - earlier for earlier, later in pairwise(starts)]
        spacing_us = median_low(apart) if apart else step_us
    return GAP_SPACINGS * max(step_us, spacing_us)


COLUMNS = ("start", "count", "min", "max", "mean", "first", "last")


def columns(buckets: Sequence[Bucket], step_us: int, gap_us: int) -> dict[str, list[Any]]:
    """`start` in milliseconds and each figure as a column; a gap is one row of nulls."""
    rows: list[tuple[Any, ...]] = []
    previous_us: int | None = None
    for each in buckets:
        if previous_us is not None and each.start_us - previous_us > gap_us:
            rows.append((_ms(previous_us + step_us), 0, None, None, None, None, None))
        previous_us = each.start_us
        mean = each.sum / each.count
        row = (_ms(previous_us), each.count, each.min, each.max, mean, each.first, each.last)
        rows.append(row)
    by_column = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    return {name: list(column) for name, column in zip(COLUMNS, by_column, strict=True)}


def _ms(at_us: int) -> int | float:
    return at_us / 1000 if at_us % 1000 else at_us // 1000
