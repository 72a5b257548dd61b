"""Buckets: their width, what they are made of, how they fold and where gaps are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dashboards.buckets import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Bucket,
    Source,
    columns,
    fold,
    gap_us_for,
    source_for,
    step_us_for,
)

readings_lists = st.lists(
    st.tuples(st.integers(-(10**12), 10**12), st.floats(-1e6, 1e6)),
    unique_by=lambda reading: reading[0],
    max_size=60,
)


def rolled_up(readings: list[tuple[int, float]], step_us: int) -> list[Bucket]:
    """Buckets by the textbook, to hold `fold` to."""
    spans: dict[int, list[tuple[int, float]]] = {}
    for at_us, value in sorted(readings):
        spans.setdefault(at_us // step_us * step_us, []).append((at_us, value))
    return [
        Bucket(
            start_us,
            len(own),
            sum(value for _, value in own),
            min(value for _, value in own),
            max(value for _, value in own),
            own[0][1],
            own[0][0],
            own[-1][1],
            own[-1][0],
        )
        for start_us, own in sorted(spans.items())
    ]


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


def test_buckets_are_made_of_the_coarsest_form_that_fits() -> None:
    assert source_for(10 * SECOND_US) is Source.READINGS
    assert source_for(30 * MINUTE_US) is Source.MINUTES
    assert source_for(2 * HOUR_US) is Source.HOURS
    assert source_for(7 * DAY_US) is Source.HOURS


@given(readings_lists, readings_lists)
def test_rollups_and_readings_fold_to_what_all_readings_come_to(
    sealed: list[tuple[int, float]], fresh: list[tuple[int, float]]
) -> None:
    taken = {at_us for at_us, _ in sealed}
    fresh = [reading for reading in fresh if reading[0] not in taken]
    folded = fold(rolled_up(sealed, MINUTE_US), fresh, HOUR_US)
    expected = rolled_up(sealed + fresh, HOUR_US)
    assert but_sums(folded) == but_sums(expected)
    for got, wanted in zip(folded, expected, strict=True):
        assert abs(got.sum - wanted.sum) < 1e-3


def at_seconds(*seconds: int) -> list[Bucket]:
    return fold([], [(second * SECOND_US, 1.0) for second in seconds], SECOND_US)


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
