"""What the pages are told is exact, on both engines, wherever the watermark is."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from dashboards import latest, queries
from dashboards.buckets import Bucket, Source, fold
from dashboards.snapshot import one_snapshot
from devices.models import Device, Kind, Series
from ingest.fields import from_us, to_us
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

pytestmark = pytest.mark.usefixtures("engine")

HOUR = datetime(2026, 11, 23, 6, tzinfo=UTC)
SEALED_TO = HOUR + timedelta(hours=2, minutes=20)

Readings = list[tuple[datetime, float]]


def make_series(metric: str = "temperature", kind: Kind = Kind.NUMBER, uid: str = "roof") -> Series:
    device, _ = Device.objects.get_or_create(uid=uid)
    return Series.objects.create(device=device, metric=metric, kind=kind)


def three_hours(every_s: float = 7.3) -> Readings:
    """Readings up to three hours from `HOUR`; the last forty minutes are after the watermark."""
    values = random.Random(7)
    times = [HOUR + timedelta(seconds=number * every_s) for number in range(int(10800 / every_s))]
    return [(time, round(values.uniform(-50, 50), 3)) for time in times]


def aggregated(readings: Readings, start: datetime, end: datetime, step_us: int) -> list[Bucket]:
    """What all readings of the widened span come to, without any rollup."""
    start_us = to_us(start) // step_us * step_us
    end_us = -(-to_us(end) // step_us) * step_us
    raw = [(to_us(time), value) for time, value in readings]
    return fold([], [reading for reading in raw if start_us <= reading[0] < end_us], step_us)


def assert_exact(found: queries.History, expected: list[Bucket]) -> None:
    assert len(found.buckets) == len(expected)
    for got, wanted in zip(found.buckets, expected, strict=True):
        assert got.sum == pytest.approx(wanted.sum, abs=1e-9)
        got.sum = wanted.sum
        assert got == wanted


@pytest.mark.parametrize(
    ("minutes", "points", "source"),
    [
        pytest.param(12, 600, Source.READINGS, id="readings"),
        pytest.param(180, 600, Source.MINUTES, id="minutes"),
        pytest.param(180, 20, Source.MINUTES, id="ten minutes"),
        pytest.param(180, 3, Source.HOURS, id="hours"),
        pytest.param(60 * 24 * 30, 600, Source.HOURS, id="a month"),
    ],
)
def test_history_is_what_the_readings_come_to(minutes: int, points: int, source: Source) -> None:
    series = make_series()
    set_watermark(SEALED_TO)
    readings = three_hours()
    store(series, readings)
    end = HOUR + timedelta(minutes=181.37)
    start = end - timedelta(minutes=minutes)
    found = queries.history(series, start, end, points)
    assert found.source is source
    assert_exact(found, aggregated(readings, start, end, found.step_us))


def test_a_series_that_is_sealed_further_than_others_is_exact_too() -> None:
    first, second = make_series("a"), make_series("b")
    set_watermark(SEALED_TO, also=SEALED_TO + timedelta(minutes=1), through=first.pk)
    readings = three_hours()
    for series in (first, second):
        store(series, readings)
        found = queries.history(series, HOUR, HOUR + timedelta(hours=3), 600)
        assert_exact(found, aggregated(readings, HOUR, HOUR + timedelta(hours=3), found.step_us))


def test_history_before_anything_was_sealed_is_exact() -> None:
    series, readings = make_series(), three_hours()
    store(series, readings)
    found = queries.history(series, HOUR, HOUR + timedelta(hours=3), 100)
    assert_exact(found, aggregated(readings, HOUR, HOUR + timedelta(hours=3), found.step_us))


def test_other_series_leave_no_trace_in_a_history() -> None:
    mine, other = make_series("a"), make_series("b")
    set_watermark(SEALED_TO)
    store(other, three_hours())
    assert queries.history(mine, HOUR, HOUR + timedelta(hours=3), 100).buckets == []


def test_the_latest_is_found_on_either_side_of_the_watermark() -> None:
    sealed, fresh, both, none = (make_series(name) for name in "abcd")
    set_watermark(SEALED_TO)
    before, after = SEALED_TO - timedelta(hours=1), SEALED_TO + timedelta(seconds=1)
    store(sealed, [(before, 1.0), (before - timedelta(days=400), 9.0)])
    store(fresh, [(after, 2.0), (after + timedelta(microseconds=1), 2.5)])
    store(both, [(before, 3.0), (after, 4.0)])
    assert latest.latest([sealed, fresh, both, none]) == {
        sealed.pk: (to_us(before), 1.0),
        fresh.pk: (to_us(after) + 1, 2.5),
        both.pk: (to_us(after), 4.0),
    }


def test_the_latest_has_the_kind_of_its_series() -> None:
    door, state = make_series("door", Kind.BOOLEAN), make_series("state", Kind.TEXT)
    store(door, [(HOUR, 1.0)])
    add_text(state, HOUR, "old")
    add_text(state, HOUR + timedelta(seconds=1), "ok")
    found = latest.latest([door, state])
    assert found == {door.pk: (to_us(HOUR), True), state.pk: (to_us(HOUR) + 1_000_000, "ok")}
    assert found[door.pk][1] is True


def add_text(series: Series, time: datetime, text: str) -> None:
    at = time if connection.vendor == "postgresql" else to_us(time)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingest_textreading (series_id, time, value) VALUES (%s, %s, %s)",
            [series.pk, at, text],
        )


def test_the_fleet_is_every_device_with_its_latest() -> None:
    store(make_series(), [(HOUR, 21.5)])
    Device.objects.filter(uid="roof").update(
        name="Roof", expected_interval_s=10, last_seen_at=HOUR + timedelta(seconds=2)
    )
    Device.objects.create(uid="porch")
    porch, roof = sorted(latest.fleet(), key=lambda device: device.uid)
    at_ms = to_us(HOUR) / 1000
    assert roof.values == {"temperature": (at_ms, 21.5)}
    assert (roof.name, roof.interval_s, roof.seen_ms) == ("Roof", 10, at_ms + 2000)
    assert (porch.values, porch.seen_ms) == ({}, None)


def test_a_snapshot_sees_no_commit_that_came_after_its_first_look() -> None:
    series = make_series()
    store(series, [(HOUR, 1.0)])
    with one_snapshot() as cursor:
        cursor.execute("SELECT count(*) FROM ingest_reading")
        before = cursor.fetchone()
        in_another_thread(lambda: store(series, [(HOUR + timedelta(seconds=1), 2.0)]))
        cursor.execute("SELECT count(*) FROM ingest_reading")
        assert cursor.fetchone() == before
    assert latest.latest([series])[series.pk][1] == 2.0


def in_another_thread(work: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as executor:
        executor.submit(latest.in_own_thread(work)).result()


def test_a_moment_survives_the_way_there_and_back() -> None:
    at = from_us(1_795_326_596_000_001)
    series = make_series()
    store(series, [(at, 1.0)])
    assert latest.latest([series])[series.pk][0] == 1_795_326_596_000_001
