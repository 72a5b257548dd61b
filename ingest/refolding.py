"""Folds stored readings once more, apart from the line, and holds the rollups against it. Pure.

Readings pass through in order of time, once, and no more than a minute of them is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from ingest.comparison import Finding
from ingest.reading import EARLIEST_US

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
# Sums are made in another order than ours; each addition may be off by one part in 2^53.
SUM_TOLERANCE = 1e-12
_EXACT = ("count", "min", "max", "first", "first_us", "last", "last_us")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rollup, or what it must be; `magnitude` is the sum of the values' magnitudes."""

    start_us: int
    count: int
    sum: float
    min: float
    max: float
    first: float
    first_us: int
    last: float
    last_us: int
    magnitude: float = 0.0


class Rollups:
    """The stored rollups of one series and step, met by what the readings come to."""

    def __init__(self, stored: Iterable[Bucket], found: Callable[[Finding], None]) -> None:
        self._stored = iter(stored)
        self._next = next(self._stored, None)
        self._found = found

    def meet(self, wanted: Bucket) -> None:
        """The next bucket that the readings make."""
        self._skip_to(wanted.start_us)
        if self._next is None or self._next.start_us > wanted.start_us:
            told = f"{wanted.count} readings have no rollup"
            self._found(Finding("rollup", wanted.start_us, told))
            return
        told = difference(wanted, self._next)
        if told:
            self._found(Finding("rollup", wanted.start_us, told))
        self._next = next(self._stored, None)

    def end(self) -> None:
        self._skip_to(None)

    def _skip_to(self, start_us: int | None) -> None:
        while self._next is not None and (start_us is None or self._next.start_us < start_us):
            told = f"a rollup says {self._next.count} readings, none is stored"
            self._found(Finding("rollup", self._next.start_us, told))
            self._next = next(self._stored, None)


class Folding:
    """Folds the readings of one series that pass through it, from its horizon to its watermark."""

    def __init__(
        self, minutes: Rollups, hours: Rollups, until_us: int, from_us: int = EARLIEST_US
    ) -> None:
        self._minutes = minutes
        self._hours = hours
        self._from_us = from_us
        self._until_us = until_us
        self._readings: list[tuple[int, float]] = []
        self._hour: Bucket | None = None

    def passing(self, readings: Iterable[tuple[int, float]]) -> Iterator[tuple[int, float]]:
        """The same readings; when the last has passed, every rollup has been met."""
        end_us = None
        for reading in readings:
            if self._from_us <= reading[0] < self._until_us:
                if end_us is None or reading[0] >= end_us:
                    self._end_minute()
                    end_us = reading[0] // MINUTE_US * MINUTE_US + MINUTE_US
                self._readings.append(reading)
            yield reading
        self._end_minute()
        if self._hour is not None:
            self._hours.meet(self._hour)
        self._minutes.end()
        self._hours.end()

    def _end_minute(self) -> None:
        if not self._readings:
            return
        minute = bucket_of(self._readings)
        self._readings.clear()
        self._minutes.meet(minute)
        start_us = minute.start_us // HOUR_US * HOUR_US
        if self._hour is not None and self._hour.start_us == start_us:
            self._hour = joined(self._hour, minute)
            return
        if self._hour is not None:
            self._hours.meet(self._hour)
        self._hour = replace(minute, start_us=start_us)


def hold_against_minutes(hours: Rollups, minutes: Iterable[Bucket]) -> None:
    """Hours against minutes, where the readings of both are gone."""
    hour: Bucket | None = None
    for minute in minutes:
        start_us = minute.start_us // HOUR_US * HOUR_US
        if hour is not None and hour.start_us == start_us:
            hour = joined(hour, minute)
            continue
        if hour is not None:
            hours.meet(hour)
        hour = replace(minute, start_us=start_us)
    if hour is not None:
        hours.meet(hour)
    hours.end()


def bucket_of(readings: list[tuple[int, float]]) -> Bucket:
    """What the readings of one minute come to."""
    values = [value for _, value in readings]
    (first_us, first), (last_us, last) = readings[0], readings[-1]
    return Bucket(
        start_us=first_us // MINUTE_US * MINUTE_US,
        count=len(values),
        sum=sum(values),
        min=min(values),
        max=max(values),
        first=first,
        first_us=first_us,
        last=last,
        last_us=last_us,
        magnitude=sum(map(abs, values)),
    )


def joined(earlier: Bucket, later: Bucket) -> Bucket:
    """Both in one, which starts as the earlier one does."""
    return Bucket(
        start_us=earlier.start_us,
        count=earlier.count + later.count,
        sum=earlier.sum + later.sum,
        min=min(earlier.min, later.min),
        max=max(earlier.max, later.max),
        first=earlier.first,
        first_us=earlier.first_us,
        last=later.last,
        last_us=later.last_us,
        magnitude=earlier.magnitude + later.magnitude,
    )


def difference(wanted: Bucket, found: Bucket) -> str:
    """How `found` is not as it must be; empty if it is."""
    for name in _EXACT:
        if getattr(wanted, name) != getattr(found, name):
            says, makes = getattr(found, name), getattr(wanted, name)
            return f"its {name} is {says!r}, the readings make {makes!r}"
    if abs(wanted.sum - found.sum) <= SUM_TOLERANCE * wanted.magnitude:
        return ""
    return f"its sum is {found.sum!r}, the readings make {wanted.sum!r}"
