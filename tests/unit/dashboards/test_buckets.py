"""Buckets: their width, how they join, and where gaps are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dashboards.buckets import Bucket, columns, gap_us_for, merged, step_us_for
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US

Readings = list[tuple[int, float]]

readings_lists = st.lists(
    st.tuples(st.integers(-(10**12), 10**12), st.floats(-1e6, 1e6)),
    unique_by=lambda reading: reading[0],
    max_size=60,
)


def in_buckets(readings: Readings, step_us: int) -> list[Bucket]:
    """Buckets by the textbook."""
    spans: dict[int, Readings] = {}
    for at_us, value in sorted(readings):
        spans.setdefault(at_us // step_us * step_us, []).append((at_us, value))
    return [bucket_of(start_us, own) for start_us, own in sorted(spans.items())]


def bucket_of(start_us: int, readings: Readings) -> Bucket:
    values = [value for _, value in readings]
    (first_us, first), (last_us, last) = readings[0], readings[-1]
    figures = len(values), sum(values), min(values), max(values)
    return Bucket(start_us, *figures, first, first_us, last, last_us)


def but_sums(buckets: list[Bucket]) -> list[Bucket]:
    return [replace(each, sum=0.0) for each in buckets]


@given(st.integers(1, 10 * 365 * DAY_US), st.integers(2, 2000))
def test_no_step_makes_more_points_than_asked_for(range_us: int, points: int) -> None:
    assert range_us / step_us_for(range_us, points) <= points


def test_steps_are_widths_that_people_can_name() -> None:
    assert step_us_for(900 * SECOND_US, 600) == 2 * SECOND_US
    assert step_us_for(6 * HOUR_US, 600) == MINUTE_US
    assert step_us_for(30 * DAY_US, 600) == 2 * HOUR_US
    assert step_us_for(3650 * DAY_US, 600) == 7 * DAY_US


def test_whole_days_are_counted_by_the_clock_of_who_asks() -> None:
    spring_us = 10 * DAY_US - HOUR_US  # ten days by the clock, one of them of 23 hours
    assert step_us_for(spring_us, 10, 10 * DAY_US) == DAY_US
    assert step_us_for(10 * DAY_US, 10, 10 * DAY_US + HOUR_US) == 2 * DAY_US
    assert step_us_for(10 * DAY_US, 1000, 10 * DAY_US + HOUR_US) < HOUR_US


@given(readings_lists, st.data())
def test_parts_in_any_order_join_to_what_all_readings_come_to(
    readings: Readings, draw: st.DataObject
) -> None:
    parts = [part for one in readings for part in in_buckets([one], HOUR_US)]
    joined = merged(draw.draw(st.permutations(parts)))
    expected = in_buckets(readings, HOUR_US)
    assert but_sums(joined) == but_sums(expected)
    for got, wanted in zip(joined, expected, strict=True):
        assert abs(got.sum - wanted.sum) < 1e-3


def at_seconds(*seconds: int) -> list[Bucket]:
    return in_buckets([(second * SECOND_US, 1.0) for second in seconds], SECOND_US)


def test_a_gap_is_one_row_of_nulls() -> None:
    table = columns(at_seconds(0, 1, 9), SECOND_US, 3 * SECOND_US)
    assert table["start"] == [0, 1000, 2000, 9000]
    assert table["mean"] == [1.0, 1.0, None, 1.0]
    assert table["count"] == [1, 1, 0, 1]


def test_a_device_that_speaks_once_a_minute_has_no_gap_at_each_second() -> None:
    buckets = at_seconds(0, 60, 120, 180)
    gap_us = gap_us_for(buckets, SECOND_US, None)
    assert None not in columns(buckets, SECOND_US, gap_us)["mean"]


def test_the_expected_interval_decides_where_one_is_set() -> None:
    assert gap_us_for(at_seconds(0, 60, 120), SECOND_US, 5.0) == 15 * SECOND_US


def test_no_readings_make_empty_columns() -> None:
    table = columns([], SECOND_US, gap_us_for([], SECOND_US, None))
    assert table["start"] == table["mean"] == []


def test_a_beginning_is_whole_milliseconds_where_it_can_be() -> None:
    buckets = [bucket_of(start_us, [(start_us, 1.0)]) for start_us in (-1500, 2000)]
    assert [repr(at) for at in columns(buckets, 500, 10**6)["start"]] == ["-1.5", "2"]
