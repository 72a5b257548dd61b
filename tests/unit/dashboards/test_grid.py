"""Where buckets begin, in zones as they are: half hours, clocks that are put, dates left out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, Grid, day_begins_us, wall_range_us
from ingest.fields import from_us, to_us

ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "America/Sao_Paulo", "America/St_Johns", "America/Havana"),
    *("Pacific/Apia", "Pacific/Chatham", "Africa/Cairo", "Asia/Beirut", "Africa/Monrovia"),
]
EARLIEST, LATEST = datetime(1960, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments_us = st.integers(to_us(EARLIEST), to_us(LATEST))
whole_days = st.integers(1, 40).map(lambda days: days * DAY_US)
parts_of_days = st.sampled_from([1, 7_000, MINUTE_US, 5 * MINUTE_US, HOUR_US, 12 * HOUR_US])


def shown(at_us: int, zone: tzinfo) -> datetime:
    return from_us(at_us).astimezone(zone)


def first_moment_us(day: date, zone: tzinfo) -> int:
    """The first full minute at which a calendar in `zone` shows `day` or a later one."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    minutes = (noon + timedelta(minutes=minute) for minute in range(-40 * 60, 30 * 60))
    return next(to_us(at) for at in minutes if at.astimezone(zone).date() >= day)


@pytest.mark.parametrize(
    ("zone", "day", "begins"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-29T00:00:00+01:00"),
        ("Europe/Berlin", date(2026, 3, 30), "2026-03-30T00:00:00+02:00"),
        ("Asia/Kolkata", date(2026, 1, 1), "2026-01-01T00:00:00+05:30"),
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T01:00:00-02:00"),
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T00:30:00-04:00"),
        ("America/Havana", date(2020, 11, 1), "2020-11-01T00:00:00-04:00"),
        ("America/St_Johns", date(2006, 10, 29), "2006-10-29T00:00:00-02:30"),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-31T00:00:00+14:00"),
        ("Africa/Monrovia", date(1960, 1, 1), "1960-01-01T00:00:00-00:44:30"),
    ],
)
def test_a_day_begins_at_its_first_moment(zone: str, day: date, begins: str) -> None:
    found = day_begins_us(day.toordinal(), ZoneInfo(zone))
    assert shown(found, ZoneInfo(zone)).isoformat() == begins


@given(st.sampled_from(ZONES[:-1]).map(ZoneInfo), st.dates(date(1973, 1, 1), date(2037, 1, 1)))
def test_every_day_of_every_zone_begins_there(zone: tzinfo, day: date) -> None:
    assert day_begins_us(day.toordinal(), zone) == first_moment_us(day, zone)


@given(zones, st.one_of(whole_days, parts_of_days), moments_us)
def test_a_moment_is_in_the_bucket_that_began_last(zone: tzinfo, step_us: int, at_us: int) -> None:
    grid = Grid(step_us, zone)
    start_us = grid.floor(at_us)
    assert start_us <= at_us
    assert grid.floor(start_us) == start_us
    (run,) = grid.runs(start_us, start_us + 1)
    assert run.origin_us == start_us
    assert at_us < start_us + run.width_us
    assert grid.floor(start_us + run.width_us) == start_us + run.width_us


@given(zones, st.one_of(whole_days, parts_of_days), moments_us, st.integers(1, 100), st.data())
def test_runs_are_all_the_buckets_of_a_range_side_by_side(
    zone: tzinfo, step_us: int, from_us: int, steps: int, draw: st.DataObject
) -> None:
    grid = Grid(step_us, zone)
    to_us = from_us + draw.draw(st.integers(1, steps * step_us))
    runs = [each for run in grid.runs(from_us, to_us) for each in run.split()]
    assert runs[0].from_us == from_us
    assert runs[-1].to_us == to_us
    for earlier, later in pairwise(runs):
        assert later.from_us == earlier.to_us == later.origin_us
    for run in runs:
        assert run.origin_us == grid.floor(run.from_us) == grid.floor(run.to_us - 1)
        assert run.from_us < run.to_us <= run.origin_us + run.width_us


def test_a_year_of_days_is_few_runs() -> None:
    berlin = Grid(DAY_US, ZoneInfo("Europe/Berlin"))
    year = to_us(datetime(2026, 1, 1, tzinfo=UTC)), to_us(datetime(2027, 1, 1, tzinfo=UTC))
    hours = [run.width_us / HOUR_US for run in berlin.runs(*year)]
    assert hours == [24, 23, 24, 25, 24]


def test_seven_days_are_a_week_from_its_monday() -> None:
    week = Grid(7 * DAY_US, UTC)
    assert from_us(week.floor(to_us(datetime(2026, 11, 28, 3, tzinfo=UTC)))).weekday() == 0


def test_a_range_is_longer_by_the_clock_when_it_is_put_forward() -> None:
    start, end = datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
    range_us = wall_range_us(to_us(start), to_us(end), ZoneInfo("Europe/Berlin"))
    assert range_us == 2 * DAY_US + HOUR_US


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")])
def test_the_calendar_has_an_end_and_a_beginning(zone: tzinfo) -> None:
    first = to_us(datetime.min.replace(tzinfo=UTC))
    last = to_us(datetime.max.replace(tzinfo=UTC))
    assert Grid(DAY_US, zone).runs(last - HOUR_US, last)[-1].to_us == last
    assert Grid(DAY_US, zone).floor(first + 2 * DAY_US) >= first - DAY_US


def test_nothing_is_in_an_empty_range() -> None:
    assert Grid(DAY_US, UTC).runs(5, 5) == Grid(HOUR_US, UTC).runs(5, 4) == []
