"""What readings come to, by walking through them one by one: what the hub's SQL is held to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo

import pytest

from dashboards.buckets import Bucket
from dashboards.grid import DAY_US
from ingest.fields import from_us, to_us

Readings = list[tuple[datetime, float]]


def in_buckets(
    readings: Readings,
    start: datetime,
    end: datetime,
    step_us: int,
    zone: tzinfo = UTC,
    place: Callable[[datetime], datetime] = lambda time: time,
) -> list[Bucket]:
    """Buckets of the readings in [start, end). In a zone whose dates come one after the other.

    `place` says where a reading is, if not at its time.
    """
    found: dict[int, list[tuple[int, float]]] = {}
    for time, value in sorted(readings):
        if start <= place(time) < end:
            begins_us = _begins_us(place(time), step_us, zone)
            found.setdefault(begins_us, []).append((to_us(time), value))
    return [_bucket(start_us, own) for start_us, own in sorted(found.items())]


def _begins_us(time: datetime, step_us: int, zone: tzinfo) -> int:
    if step_us % DAY_US:
        return to_us(time) // step_us * step_us
    days = step_us // DAY_US
    ordinal = time.astimezone(zone).date().toordinal() - 1
    first = datetime.fromordinal(ordinal // days * days + 1)
    return to_us(first.replace(tzinfo=zone).astimezone(UTC))


def _bucket(start_us: int, own: list[tuple[int, float]]) -> Bucket:
    values = [value for _, value in own]
    (first_us, first), (last_us, last) = own[0], own[-1]
    figures = len(values), sum(values), min(values), max(values)
    return Bucket(start_us, *figures, first, first_us, last, last_us)


def assert_same(found: list[Bucket], expected: list[Bucket]) -> None:
    assert [from_us(each.start_us) for each in found] == [
        from_us(each.start_us) for each in expected
    ]
    for got, wanted in zip(found, expected, strict=True):
        assert got.sum == pytest.approx(wanted.sum, abs=1e-9)
        got.sum = wanted.sum
        assert got == wanted


def total(buckets: Iterable[Bucket]) -> int:
    return sum(bucket.count for bucket in buckets)
