"""History as buckets: how wide, made of what, folded and laid out in columns. Pure.

A bucket is what the readings of one span come to. Rollups are buckets already; readings after the
watermark are folded in one by one, so an answer is exact while its last minutes are still open.
Times are integer microseconds since 1970 (`_us`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from math import ceil
from statistics import median_low
from typing import Any

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

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


class Source(IntEnum):
    """What a bucket is made of; the values are `Rollup.step_s`."""

    READINGS = 0
    MINUTES = 60
    HOURS = 3600


def step_us_for(range_us: int, points: int) -> int:
    """The narrowest step that covers `range_us` in at most `points` buckets."""
    wanted = max(1, ceil(range_us / points))
    for step_us in STEPS_US:
        if step_us >= wanted:
            return step_us
    return ceil(wanted / DAY_US) * DAY_US


def source_for(step_us: int) -> Source:
    """The coarsest kept form that the buckets are whole multiples of."""
    if step_us % HOUR_US == 0:
        return Source.HOURS
    return Source.MINUTES if step_us % MINUTE_US == 0 else Source.READINGS


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


def fold(
    rollups: Iterable[Bucket], readings: Iterable[tuple[int, float]], step_us: int
) -> list[Bucket]:
    """Buckets of `step_us` in order of time, from rollups and from readings not in them."""
    buckets: dict[int, Bucket] = {}
    for rollup in rollups:
        start_us = rollup.start_us - rollup.start_us % step_us
        if (bucket := buckets.get(start_us)) is None:
            rollup.start_us = start_us
            buckets[start_us] = rollup
        else:
            bucket.merge(rollup)
    for at_us, value in readings:
        start_us = at_us - at_us % step_us
        one = Bucket(start_us, 1, value, value, value, value, at_us, value, at_us)
        if (bucket := buckets.setdefault(start_us, one)) is not one:
            bucket.merge(one)
    return [buckets[start_us] for start_us in sorted(buckets)]


def gap_us_for(buckets: list[Bucket], step_us: int, interval_s: float | None) -> int:
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


COLUMNS = ("count", "min", "max", "mean", "first", "last")


def columns(buckets: list[Bucket], step_us: int, gap_us: int) -> dict[str, list[Any]]:
    """`start` in milliseconds and each figure as a column; a gap is one row of nulls."""
    table: dict[str, list[Any]] = {name: [] for name in ("start", *COLUMNS)}
    previous_us: int | None = None
    for bucket in buckets:
        if previous_us is not None and bucket.start_us - previous_us > gap_us:
            table["start"].append((previous_us + step_us) / 1000)
            for name in COLUMNS:
                table[name].append(0 if name == "count" else None)
        previous_us = bucket.start_us
        table["start"].append(bucket.start_us / 1000)
        table["count"].append(bucket.count)
        table["min"].append(bucket.min)
        table["max"].append(bucket.max)
        table["mean"].append(bucket.sum / bucket.count)
        table["first"].append(bucket.first)
        table["last"].append(bucket.last)
    return table
