"""Whether what a query answers equals an aggregation of the readings: the third invariant.

The aggregation is done here in Python, apart from the hub's SQL, so that a mistake there is not
repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from dashboards.snapshot import one_snapshot
from ingest.fields import to_us
from ingest.models import Horizon, LineState, Reading, Rollup
from ingest.reading import EARLIEST_US

SUM_TOLERANCE = 1e-12  # of the sum of magnitudes; the order of addition differs
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


@dataclass(slots=True)
class Bucket:
    """What the readings of one series in one minute or hour come to."""

    count: int
    sum: float
    min: float
    max: float
    first: tuple[int, float]
    last: tuple[int, float]

    def joined(self, other: Bucket) -> Bucket:
        return Bucket(
            self.count + other.count,
            self.sum + other.sum,
            min(self.min, other.min),
            max(self.max, other.max),
            min(self.first, other.first),
            max(self.last, other.last),
        )


Key = tuple[int, int, int]  # series id, step in µs, start in µs
Readings = dict[tuple[int, int], float]  # by series id and time in µs


def all_readings() -> Readings:
    """Every reading the ORM returns; each must come once."""
    rows = Reading.objects.values_list("series_id", "time", "value")
    found = [((series_id, to_us(time)), value) for series_id, time, value in rows]
    readings = dict(found)
    assert len(readings) == len(found), "a reading is returned twice"
    return readings


def assert_one_mind(expected: Readings | None = None) -> Readings:
    """Rollups and readings tell one story, and it is `expected`. What is stored is returned.

    Before the horizon of its readings a series is told of by its rollups alone.
    """
    with one_snapshot():  # the line may be sealing a minute just now
        stored = all_readings()
        state = LineState.objects.get(pk=1)
        rollups = stored_rollups()
        kept = Horizon.objects.filter(step_s=Horizon.READINGS).values_list("series_id", "kept_from")
        horizons_us = {series_id: to_us(kept_from) for series_id, kept_from in kept}
    if expected is not None:
        assert stored == expected

    def is_kept(series_id: int, at_us: int) -> bool:
        return at_us >= horizons_us.get(series_id, EARLIEST_US)

    readings = {key: value for key, value in stored.items() if is_kept(*key)}
    rollups = {key: bucket for key, bucket in rollups.items() if is_kept(key[0], key[2])}
    from_us, to_us_ = to_us(state.sealing_from), to_us(state.sealing_to)

    def is_rolled_up(series_id: int, at_us: int) -> bool:
        return at_us < (to_us_ if series_id <= state.sealing_series else from_us)

    after = {key: value for key, value in readings.items() if not is_rolled_up(*key)}
    _assert_same(_joined(rollups, aggregated(after)), aggregated(readings), readings)
    before = {key: value for key, value in readings.items() if is_rolled_up(*key)}
    _assert_same(rollups, aggregated(before), readings)
    return stored


def stored_rollups() -> dict[Key, Bucket]:
    buckets: dict[Key, Bucket] = {}
    names = ("count", "sum", "min", "max", "first_time", "first", "last_time", "last")
    for series_id, step_s, start, *figures in Rollup.objects.values_list(
        "series_id", "step_s", "start", *names
    ):
        count, total, least, most, first_time, first, last_time, last = figures
        buckets[series_id, step_s * 1_000_000, to_us(start)] = Bucket(
            *(count, total, least, most), (to_us(first_time), first), (to_us(last_time), last)
        )
    return buckets


def aggregated(readings: Readings) -> dict[Key, Bucket]:
    buckets: dict[Key, Bucket] = {}
    for (series_id, at_us), value in readings.items():
        alone = Bucket(1, value, value, value, (at_us, value), (at_us, value))
        for key in _keys(series_id, at_us):
            buckets[key] = buckets[key].joined(alone) if key in buckets else alone
    return buckets


def _keys(series_id: int, at_us: int) -> list[Key]:
    return [(series_id, step_us, at_us - at_us % step_us) for step_us in (MINUTE_US, HOUR_US)]


def _joined(some: dict[Key, Bucket], others: dict[Key, Bucket]) -> dict[Key, Bucket]:
    joined = dict(some)
    for key, bucket in others.items():
        joined[key] = joined[key].joined(bucket) if key in joined else bucket
    return joined


def _assert_same(found: dict[Key, Bucket], wanted: dict[Key, Bucket], readings: Readings) -> None:
    assert _but_sums(found.items()) == _but_sums(wanted.items())
    magnitudes: dict[Key, float] = defaultdict(float)
    for (series_id, at_us), value in readings.items():
        for key in _keys(series_id, at_us):
            magnitudes[key] += abs(value)
    for key, bucket in wanted.items():
        assert abs(found[key].sum - bucket.sum) <= SUM_TOLERANCE * magnitudes[key], key


def _but_sums(buckets: Iterable[tuple[Key, Bucket]]) -> dict[Key, Bucket]:
    return {key: replace(bucket, sum=0.0) for key, bucket in buckets}
