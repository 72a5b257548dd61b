"""What is read after a prune: what is left, in all the forms in which it is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from dashboards import extent, latest, queries
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from devices.models import Device, Kind, Retention, Series
from ingest.erasure import erase_span
from ingest.fields import from_us, to_us
from ingest.models import LineState, Rollup
from ingest.prune.run import prune
from ingest.retention import Days, Rules
from tests.integration.dashboards.naive import Readings, assert_same, in_buckets
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

pytestmark = pytest.mark.usefixtures("engine")

BEGIN = datetime(2026, 11, 20, 5, 17, 3, tzinfo=UTC)
NOW = BEGIN + timedelta(days=6)
SEALED_TO = NOW.replace(minute=0, second=0)
# Of six days three have their readings, another one its minutes, and the first two their hours.
RULES = Rules.of(Days(3, 4, 0), [])
READINGS_FROM = (NOW - timedelta(days=3)).replace(minute=0, second=0)
MINUTES_FROM = (NOW - timedelta(days=4)).replace(minute=0, second=0)


def make_series(metric: str = "t", kind: Kind = Kind.NUMBER) -> Series:
    device, _ = Device.objects.get_or_create(uid="roof")
    return Series.objects.create(device=device, metric=metric, kind=kind)


def six_days(every_min: float = 7.3) -> Readings:
    times = [BEGIN + timedelta(minutes=n * every_min) for n in range(int(6 * 1440 / every_min))]
    return [(time, float(n % 97) - 31.5) for n, time in enumerate(times)]


def pruned(rules: Rules = RULES) -> Series:
    series = make_series()
    set_watermark(SEALED_TO)
    store(series, six_days())
    assert not prune(rules, to_us(NOW), lambda held_s: None, whole_tables=False).refused
    return series


def place(time: datetime) -> datetime:
    """Where a reading is shown: with the rollup that is left of it, where that begins."""
    unit_us = _unit_us(time)
    return from_us(to_us(time) // unit_us * unit_us)


def _unit_us(time: datetime) -> int:
    if time >= READINGS_FROM:
        return 1
    return MINUTE_US if time >= MINUTES_FROM else HOUR_US


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Asia/Kolkata")], ids=str)
@pytest.mark.parametrize("step_us", [MINUTE_US, 10 * MINUTE_US, HOUR_US, DAY_US])
def test_history_has_everything_that_is_left_once(step_us: int, zone: tzinfo) -> None:
    series = pruned()
    cuts = [BEGIN, MINUTES_FROM, READINGS_FROM, NOW]
    cuts += [cut + timedelta(minutes=90.7) for cut in cuts[:3]]
    for start in cuts:
        for end in cuts:
            if start < end:
                found = queries.history([series], start, end, 10_000, zone, step_us)
                expected = in_buckets(six_days(), start, end, step_us, zone, place)
                assert_same(found.series[0].buckets, expected)


def test_a_chart_is_no_finer_than_what_is_left_where_it_begins() -> None:
    series = pruned()
    hour = timedelta(hours=1)
    for start, step_us in (
        (BEGIN, HOUR_US),
        (MINUTES_FROM, MINUTE_US),
        (READINGS_FROM, 10 * SECOND_US),
    ):
        found = queries.history([series, make_series(f"{step_us}")], start, start + hour, 600)
        assert found.step_us == step_us
        assert_same(
            found.series[0].buckets,
            in_buckets(six_days(), start, start + hour, step_us, UTC, place),
        )


def test_the_latest_value_outlives_its_reading() -> None:
    series, door = pruned(), make_series("door", Kind.BOOLEAN)
    quiet = BEGIN + timedelta(minutes=1), BEGIN + timedelta(minutes=2, microseconds=7)
    store(door, [(quiet[0], 0.0), (quiet[1], 1.0)])
    prune(RULES, to_us(NOW), lambda held_s: None, whole_tables=False)
    assert not door.readings.exists()
    time, value = six_days()[-1]
    found = latest.latest([series, door])
    assert found == {series.pk: (to_us(time), value), door.pk: (to_us(quiet[1]), True)}
    assert found[door.pk][1] is True


def test_boards_are_told_when_a_series_has_no_latest_value_any_more() -> None:
    series, rules = make_series(), Rules.of(Days(1, 1, 1), [])
    set_watermark(SEALED_TO)
    store(series, [reading for reading in six_days() if reading[0] < SEALED_TO])
    prune(rules, to_us(NOW), lambda held_s: None, whole_tables=False)
    assert LineState.objects.get(pk=1).catalogue == 0  # some of its hours are kept
    set_watermark(NOW + timedelta(days=9))
    prune(rules, to_us(NOW + timedelta(days=9)), lambda held_s: None, whole_tables=False)
    assert LineState.objects.get(pk=1).catalogue == 1
    assert latest.latest([series]) == {}


def test_what_is_counted_is_what_is_stored() -> None:
    series = pruned()
    left = [reading for reading in six_days() if reading[0] >= READINGS_FROM]
    assert extent.readings_of_series(series) == series.readings.count() == len(left)
    assert extent.readings_of_device(series.device) == len(left)


def checked() -> str:
    out = StringIO()
    try:
        call_command("checkdatabase", stdout=out)
    except SystemExit:
        return out.getvalue()
    return ""


def test_a_pruned_database_is_sound() -> None:
    pruned()
    assert checked() == ""


@pytest.mark.parametrize(
    ("step_s", "at"),
    [
        pytest.param(3600, MINUTES_FROM, id="an hour whose minutes are left"),
        pytest.param(60, READINGS_FROM, id="a minute whose readings are left"),
    ],
)
def test_rollups_are_still_held_against_what_is_left_of_them(step_s: int, at: datetime) -> None:
    pruned()
    start = min(Rollup.objects.filter(step_s=step_s, start__gte=at).values_list("start", flat=True))
    Rollup.objects.filter(step_s=step_s, start=start).update(count=99)
    assert f"{start:%Y-%m-%dT%H:%M}" in checked()
    assert "its count is 99" in checked()


def test_of_a_time_whose_readings_are_gone_what_an_erasure_touches_goes_whole() -> None:
    series = pruned()
    spans = [
        (MINUTES_FROM - timedelta(hours=5.5), MINUTES_FROM - timedelta(hours=4.9)),
        (MINUTES_FROM + timedelta(hours=1.505), MINUTES_FROM + timedelta(hours=1.8)),
        (READINGS_FROM - timedelta(minutes=30.5), READINGS_FROM + timedelta(minutes=20.5)),
    ]
    for start, end in spans:
        erase_span(series, start, end)
    left = []
    for time, value in six_days():
        unit = timedelta(microseconds=_unit_us(time))
        if not any(start - unit < place(time) < end for start, end in spans):
            left.append((time, value))
    found = queries.history([series], BEGIN, NOW, 10_000, UTC, HOUR_US)
    assert_same(found.series[0].buckets, in_buckets(left, BEGIN, NOW, HOUR_US, UTC, place))
    assert checked() == ""


def run_prune(*arguments: str) -> tuple[int, str, str]:
    """The exit status, what it said, and what it complained of."""
    out, err = StringIO(), StringIO()
    try:
        call_command("prune", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def test_the_command_keeps_everything_where_nothing_is_said() -> None:
    make_series()
    assert run_prune() == (
        0,
        "Everything is kept for ever: no WEIR_KEEP_…_DAYS is set, and there is no rule.\n",
        "",
    )


def long_ago() -> Readings:
    return [(time - timedelta(days=400), value) for time, value in six_days()]


def test_the_command_goes_by_the_rules_and_says_what_it_did() -> None:
    series = make_series()
    set_watermark(SEALED_TO)
    store(series, long_ago())
    Retention.objects.create(device=series.device, readings_days=1)
    number = f"{len(long_ago()):,}"
    status, said, complaint = run_prune("--dry-run")
    assert f"readings: {number} rows would go, about " in said
    assert (status, complaint) == (0, "")
    assert series.readings.count() == len(long_ago())
    assert f"readings: {number} rows deleted" in run_prune()[1]


def test_the_command_names_what_it_had_to_leave() -> None:
    series = make_series()
    set_watermark(SEALED_TO)
    past = long_ago()
    store(series, past)
    hour = past[100][0].replace(minute=0, second=0)
    Rollup.objects.filter(step_s=3600, start=hour).update(count=1)
    Retention.objects.create(metric="t", readings_days=1)
    for arguments in (["--dry-run"], []):
        status, _, complaint = run_prune(*arguments)
        assert status == 1
        assert complaint == (
            f"left: roof t, from {hour:%Y-%m-%dT%H}:00:00.000000Z on: 1 rollups do not hold its"
            " readings. Run `manage.py checkdatabase`.\n"
        )
    assert series.readings.count() >= len(past) - 100
