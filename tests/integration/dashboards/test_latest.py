"""What the pages show as the present is what the database has, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from dashboards import latest
from dashboards.snapshot import one_snapshot
from devices.models import Device, Kind, Series
from ingest.fields import from_us, to_us
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

pytestmark = pytest.mark.usefixtures("engine")

HOUR = datetime(2026, 11, 23, 6, tzinfo=UTC)
SEALED_TO = HOUR + timedelta(hours=2, minutes=20)


def make_series(metric: str = "temperature", kind: Kind = Kind.NUMBER) -> Series:
    device, _ = Device.objects.get_or_create(uid="roof")
    return Series.objects.create(device=device, metric=metric, kind=kind)


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


def test_the_latest_is_found_however_long_ago_it_was() -> None:
    lately, long_ago = make_series("a"), make_series("b")
    set_watermark(SEALED_TO)
    store(lately, [(SEALED_TO - timedelta(days=6), 1.0), (SEALED_TO - timedelta(days=8), 2.0)])
    store(long_ago, [(SEALED_TO - timedelta(days=8), 3.0), (SEALED_TO - timedelta(days=80), 4.0)])
    found = latest.latest([lately, long_ago])
    assert [found[series.pk][1] for series in (lately, long_ago)] == [1.0, 3.0]


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
