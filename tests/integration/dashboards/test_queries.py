"""History and tails are exact, on both engines, wherever the watermark is."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from dashboards import queries
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dashboards.queries import Tail
from dashboards.spans import Source
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from tests.integration.dashboards.naive import Readings, assert_same, in_buckets
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

pytestmark = pytest.mark.usefixtures("engine")

HOUR = datetime(2026, 11, 23, 6, tzinfo=UTC)
SEALED_TO = HOUR + timedelta(hours=2, minutes=20)
END = HOUR + timedelta(hours=3)


def make_series(metric: str = "temperature", kind: Kind = Kind.NUMBER, uid: str = "roof") -> Series:
    device, _ = Device.objects.get_or_create(uid=uid)
    return Series.objects.create(device=device, metric=metric, kind=kind)


def three_hours(every_s: float = 7.3) -> Readings:
    """Readings up to three hours from `HOUR`; the last forty minutes are after the watermark."""
    values = random.Random(7)
    times = [HOUR + timedelta(seconds=number * every_s) for number in range(int(10800 / every_s))]
    return [(time, round(values.uniform(-50, 50), 3)) for time in times]


def assert_exact(
    series: Series, readings: Readings, start: datetime, end: datetime, points: int
) -> queries.History:
    found = queries.history([series], start, end, points)
    expected = in_buckets(readings, start, end, found.step_us)
    assert_same(found.series[0].buckets, expected)
    assert len(expected) <= points + 1
    return found


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
    series, readings = make_series(), three_hours()
    set_watermark(SEALED_TO)
    store(series, readings)
    end = HOUR + timedelta(minutes=181.37)
    found = assert_exact(series, readings, end - timedelta(minutes=minutes), end, points)
    assert found.source is source


def test_buckets_that_are_cut_hold_what_is_inside_the_cuts() -> None:
    series, readings = make_series(), three_hours()
    set_watermark(SEALED_TO)
    store(series, readings)
    cuts = [0, 1e-6, 29.5, 60, 60.000001, 90.5, 3600, 3600.5, 3660, 5400.25, 7199.999999]
    for start_s in cuts:
        for end_s in (cut for cut in (*cuts, 8400, 8400.000001, 9003.5) if cut > start_s):
            start, end = (HOUR + timedelta(seconds=second) for second in (start_s, end_s))
            assert_exact(series, readings, start, end, 3)


def test_the_watermark_may_be_in_the_middle_of_a_minute() -> None:
    series, readings = make_series(), three_hours()
    set_watermark(SEALED_TO + timedelta(seconds=13, microseconds=7))
    store(series, readings)
    for points in (600, 20, 3):
        assert_exact(series, readings, HOUR, END, points)


def test_series_that_are_sealed_to_different_moments_are_exact_in_one_answer() -> None:
    first, second = make_series("a"), make_series("b")
    set_watermark(SEALED_TO, also=SEALED_TO + timedelta(minutes=1), through=first.pk)
    readings = three_hours()
    other = [(time, -value) for time, value in three_hours(11.1)]
    store(first, readings)
    store(second, other)
    found = queries.history([second, first], HOUR, END, 600)
    assert [one.series for one in found.series] == [second, first]
    assert_same(found.series[0].buckets, in_buckets(other, HOUR, END, found.step_us))
    assert_same(found.series[1].buckets, in_buckets(readings, HOUR, END, found.step_us))


def test_history_before_anything_was_sealed_is_exact() -> None:
    series, readings = make_series(), three_hours()
    store(series, readings)
    assert_exact(series, readings, HOUR, END, 100)


def test_history_of_before_1970_is_exact() -> None:
    series = make_series()
    past = datetime(1969, 12, 31, 22, 59, 30, tzinfo=UTC)
    set_watermark(SEALED_TO)
    readings = [(past + timedelta(seconds=17.7 * n), float(n)) for n in range(500)]
    store(series, readings)
    for points in (3, 20, 1000):
        assert_exact(series, readings, past, past + timedelta(hours=3), points)


def test_other_series_leave_no_trace_in_a_history() -> None:
    mine, other = make_series("a"), make_series("b")
    set_watermark(SEALED_TO)
    store(other, three_hours())
    assert queries.history([mine], HOUR, END, 100).series[0].buckets == []


@pytest.mark.parametrize(
    "zone",
    [
        pytest.param(ZoneInfo("Europe/Berlin"), id="whole hours"),
        pytest.param(ZoneInfo("Asia/Kolkata"), id="half an hour"),
        pytest.param(ZoneInfo("Asia/Kathmandu"), id="three quarters"),
        pytest.param(ZoneInfo("America/New_York"), id="west"),
        pytest.param(UTC, id="UTC"),
    ],
)
@pytest.mark.parametrize("days", [1, 3])
def test_days_begin_at_midnight_in_the_zone_asked_for(zone: tzinfo, days: int) -> None:
    series = make_series()
    start = datetime(
        2026, 10, 20, 11, 17, 3, tzinfo=UTC
    )  # clocks are put on 25 October, 1 November
    readings = [(start + timedelta(minutes=17.3 * n), float(n % 97)) for n in range(1400)]
    set_watermark(start + timedelta(days=14.3))
    store(series, readings)
    end = start + timedelta(days=16)
    found = queries.history([series], start, end, 100, zone, days * DAY_US)
    assert_same(found.series[0].buckets, in_buckets(readings, start, end, days * DAY_US, zone))


def test_texts_have_no_history() -> None:
    with pytest.raises(ValueError, match="state has texts"):
        queries.history([make_series("state", Kind.TEXT)], HOUR, END, 100)


def test_a_step_that_makes_too_many_buckets_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 100 points"):
        queries.history([make_series()], HOUR, END, 100, step_us=SECOND_US)


def test_a_tail_is_what_a_history_ends_in() -> None:
    first, second, third = (make_series(name) for name in "abc")
    set_watermark(SEALED_TO, also=SEALED_TO + timedelta(minutes=1), through=first.pk)
    readings = {
        one: [(at, value + one.pk) for at, value in three_hours()] for one in (first, second)
    }
    for one, its in readings.items():
        store(one, its)
    wanted = {
        Tail(one.pk, step_us, "Asia/Kolkata", to_us(END) - ago_us): one
        for one in (first, second, third)
        for step_us in (SECOND_US, 10 * SECOND_US, MINUTE_US, HOUR_US, DAY_US)
        for ago_us in (2_500_000, 50 * MINUTE_US)
    }
    found = queries.tails(wanted, to_us(END))
    assert found.keys() == wanted.keys()
    zone = ZoneInfo("Asia/Kolkata")
    for tail, series in wanted.items():
        whole = in_buckets(readings.get(series, []), HOUR, END, tail.step_us, zone)
        expected = [each for each in whole if each.start_us + tail.step_us > tail.from_us]
        assert_same(found[tail], expected)


def test_no_tails_are_asked_for_and_none_come() -> None:
    assert queries.tails([], to_us(END)) == {}
