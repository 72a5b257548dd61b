"""Where buckets begin: at multiples of a step, or at local midnights of a zone. Pure.

A whole-day step counts local dates from Monday, 1 January of year 1, so seven days are a week from
its Monday. A day begins at its first moment: the earlier of two midnights, and where a clock that
is put forward passes over midnight, the moment it is put. A date that a zone left out has no
bucket. Times are integer microseconds since 1970 (`_us`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import groupby, pairwise

from ingest.fields import EPOCH, from_us, to_us

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Run:
    """Buckets of one width, one after the other from `origin_us` on, cut to [from_us, to_us)."""

    origin_us: int
    width_us: int
    from_us: int
    to_us: int

    def of_units(self, unit_us: int) -> bool:
        """Whether each of its buckets is made of whole units, but for the cuts."""
        return self.origin_us % unit_us == 0 == self.width_us % unit_us

    def split(self) -> Iterator[Run]:
        """Each bucket as a run of its own."""
        from_us = self.from_us
        while from_us < self.to_us:
            origin_us = from_us - (from_us - self.origin_us) % self.width_us
            to_us = min(origin_us + self.width_us, self.to_us)
            yield Run(origin_us, self.width_us, from_us, to_us)
            from_us = to_us


@dataclass(frozen=True, slots=True)
class Grid:
    """The beginnings of all buckets of `step_us`, as people in `zone` count days."""

    step_us: int
    zone: tzinfo

    def floor(self, at_us: int) -> int:
        """The beginning of the bucket that holds `at_us`."""
        if self._fixed:
            return at_us - at_us % self.step_us
        return self._begins(self._place(at_us))

    def runs(self, from_us: int, to_us: int) -> list[Run]:
        """The buckets that [from_us, to_us) meets, in order; a clock put makes a new run."""
        if from_us >= to_us:
            return []
        if self._fixed:
            return [Run(self.floor(from_us), self.step_us, from_us, to_us)]
        found = []
        pairs = pairwise(self._beginnings(from_us, to_us))
        for width_us, days in groupby(pairs, key=lambda pair: pair[1] - pair[0]):
            (origin_us, end_us), *more = days
            if width_us:
                end_us = more[-1][1] if more else end_us
                run = Run(origin_us, width_us, max(origin_us, from_us), min(end_us, to_us))
                found.append(run)
        return found

    @property
    def _days(self) -> int:
        return self.step_us // DAY_US

    @property
    def _fixed(self) -> bool:
        return self.step_us % DAY_US != 0

    def _beginnings(self, from_us: int, to_us: int) -> Iterator[int]:
        place = self._place(from_us)
        while (begins_us := self._begins(place)) < to_us:
            yield begins_us
            place += 1
        yield begins_us

    def _place(self, at_us: int) -> int:
        """Which of its buckets, counted from year 1, holds `at_us`."""
        place = (_local(at_us, self.zone).date().toordinal() - 1) // self._days
        while self._begins(place + 1) <= at_us:  # a clock put back may bring a date back
            place += 1
        return place

    def _begins(self, place: int) -> int:
        return day_begins_us(place * self._days + 1, self.zone)


def wall_range_us(from_us: int, to_us: int, zone: tzinfo) -> int:
    """How much later it is by the clocks of `zone` at `to_us` than at `from_us`."""
    return (_local(to_us, zone) - _local(from_us, zone)) // _MICROSECOND


def day_begins_us(ordinal: int, zone: tzinfo) -> int:
    """The first moment of the local date `ordinal`, at most the end of the calendar."""
    if ordinal > date.max.toordinal():
        return to_us(datetime.max.replace(tzinfo=UTC)) + 1
    midnight = datetime.combine(date.fromordinal(ordinal), time(), zone)
    before = midnight.utcoffset() or timedelta()
    after = midnight.replace(fold=1).utcoffset() or timedelta()
    begins_us = (midnight.replace(tzinfo=UTC) - before - EPOCH) // _MICROSECOND
    if after <= before:  # one midnight, or the first of two
        return begins_us
    # The clock passes over midnight: find when it is put.
    early_us = begins_us - (after - before) // _MICROSECOND
    while begins_us - early_us > 1:
        middle_us = (early_us + begins_us) // 2
        if from_us(middle_us).astimezone(zone).utcoffset() == before:
            early_us = middle_us
        else:
            begins_us = middle_us
    return begins_us


def _local(at_us: int, zone: tzinfo) -> datetime:
    """What the clocks of `zone` show, as a time without a zone."""
    moment = from_us(at_us)
    try:
        return moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:  # the first or last hours of the calendar
        return moment.replace(tzinfo=None)
