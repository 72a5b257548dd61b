"""Erasing by hand keeps readings and rollups of one mind, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from devices.models import Device, Kind, Series
from devices.tokens import issue
from ingest.erasure import erase_device, erase_series, erase_span
from ingest.fields import from_us
from ingest.models import LineState, Reading, RefusedReading, Rollup, Stream, TextReading
from ingest.storage.postgres_sealing import ADVISORY_LOCK
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import expected_rollups, set_watermark, store, stored_rollups

HOUR = datetime(2026, 11, 23, 6, tzinfo=UTC)
SEALED_TO = HOUR + timedelta(hours=2, minutes=20)

pytestmark = pytest.mark.usefixtures("engine")


def at(minutes: float) -> datetime:
    return HOUR + timedelta(minutes=minutes)


def make_series(uid: str = "roof", metric: str = "temperature", kind: Kind = Kind.NUMBER) -> Series:
    device, _ = Device.objects.get_or_create(uid=uid)
    return Series.objects.create(device=device, metric=metric, kind=kind)


def fill(series: Series, every_s: int = 30) -> None:
    """Three hours of readings; the last forty minutes are after the watermark."""
    times = [HOUR + timedelta(seconds=second) for second in range(0, 3 * 3600, every_s)]
    store(series, ((time, float(n % 17)) for n, time in enumerate(times)))


def catalogue() -> int:
    return LineState.objects.get(pk=1).catalogue


def add_text(series: Series, time: datetime, text: str) -> None:
    with connection.cursor() as cursor:
        stored = TextReading._meta.get_field("time").get_db_prep_value(time, connection)
        cursor.execute(
            "INSERT INTO ingest_textreading (series_id, time, value) VALUES (%s, %s, %s)",
            [series.pk, stored, text],
        )


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(at(0.5), at(0.9), id="within a minute"),
        pytest.param(at(10), at(11), id="a whole minute"),
        pytest.param(at(10.5), at(75.5), id="across an hour"),
        pytest.param(at(0), at(60), id="a whole hour"),
        pytest.param(at(130.2), at(150.3), id="across the watermark"),
        pytest.param(at(145), at(150), id="after the watermark"),
        pytest.param(at(-600), at(6000), id="all of it"),
        pytest.param(at(-600), at(-500), id="nothing"),
    ],
)
def test_a_span_goes_and_the_rollups_are_those_of_what_remains(
    start: datetime, end: datetime
) -> None:
    set_watermark(SEALED_TO)
    series, other = make_series(), make_series(metric="humidity")
    fill(series)
    fill(other)
    before = list(series.readings.order_by("time").values_list("time", "value"))
    kept = [(time, value) for time, value in before if not start <= time < end]

    erased = erase_span(series, start, end)

    assert erased == len(before) - len(kept)
    assert list(series.readings.order_by("time").values_list("time", "value")) == kept
    assert other.readings.count() == len(before)
    assert stored_rollups() == expected_rollups()
    assert Rollup.objects.filter(series=other).exists()


@pytest.mark.parametrize("sealed_through", [0, 1], ids=["not yet sealed", "already sealed"])
def test_the_watermark_of_the_series_counts_while_sealing_is_under_way(
    sealed_through: int,
) -> None:
    series = make_series()
    # Only SQLite seals in slices; PostgreSQL's watermark is one moment.
    if connection.vendor == "sqlite":
        set_watermark(SEALED_TO, also=at(142), through=series.pk - 1 + sealed_through)
    else:
        set_watermark(at(142) if sealed_through else SEALED_TO)
    fill(series)
    erase_span(series, at(139.5), at(140.5))
    assert stored_rollups() == expected_rollups()
    assert (
        expected_rollups()[series.pk, 3600, at(120)][0] == (22 - 1 if sealed_through else 19.5) * 2
    )


def test_a_span_before_1970_is_rolled_up_in_its_own_minutes() -> None:
    set_watermark(SEALED_TO)
    series = make_series()
    times = [from_us(at_us) for at_us in range(-400_000_001, 0, 7_000_000)]
    store(series, ((time, 1.5) for time in times))
    erase_span(series, from_us(-300_000_000), from_us(-100_000_000))
    assert series.readings.count() == sum(not -300 <= time.timestamp() < -100 for time in times)
    assert stored_rollups() == expected_rollups()


def test_a_span_may_reach_from_the_first_year_to_the_last() -> None:
    set_watermark(SEALED_TO)
    series = make_series()
    fill(series, every_s=600)
    span = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert erase_span(series, *span) == 18
    assert not Rollup.objects.exists()


def test_a_span_of_texts_goes() -> None:
    state = make_series(metric="state", kind=Kind.TEXT)
    for minute in range(5):
        add_text(state, at(minute), "ok")
    assert erase_span(state, at(1), at(3)) == 2
    assert [r.time for r in state.text_readings.order_by("time")] == [at(0), at(3), at(4)]


def test_each_erasure_tells_the_writers_that_their_series_are_old() -> None:
    set_watermark(SEALED_TO)
    series, second = make_series(), make_series(metric="humidity")
    seen = [catalogue()]
    erase_span(series, at(0), at(1))
    seen.append(catalogue())
    erase_series(series)
    seen.append(catalogue())
    erase_device(second.device)
    seen.append(catalogue())
    assert seen == sorted(set(seen))


def test_a_reset_series_is_forgotten_with_its_readings() -> None:
    set_watermark(SEALED_TO)
    series, other = make_series(), make_series(metric="humidity")
    fill(series)
    fill(other)
    erase_series(series)
    assert not Series.objects.filter(metric="temperature").exists()
    assert set(Reading.objects.values_list("series_id", flat=True)) == {other.pk}
    assert stored_rollups() == expected_rollups() != {}


def test_a_device_goes_with_all_it_sent_and_its_neighbour_stays() -> None:
    set_watermark(SEALED_TO)
    roof, cellar = make_series("roof"), make_series("cellar")
    note = make_series("roof", "note", Kind.TEXT)
    fill(roof)
    fill(cellar)
    add_text(note, at(1), "ok")
    issue(roof.device)
    Stream.objects.create(device=roof.device, name="s", epoch=1, used_at=HOUR)
    RefusedReading.objects.create(device=roof.device, code="conflict", message="…")

    erase_device(roof.device)

    assert list(Device.objects.values_list("uid", flat=True)) == ["cellar"]
    assert set(Reading.objects.values_list("series_id", flat=True)) == {cellar.pk}
    assert not TextReading.objects.exists()
    assert not Stream.objects.exists()
    assert not RefusedReading.objects.exists()
    assert stored_rollups() == expected_rollups() != {}


@pytest.mark.parametrize("model", [Device, Series])
def test_a_bulk_delete_of_the_orm_erases_as_well(model: type[Device | Series]) -> None:
    set_watermark(SEALED_TO)
    for uid in ("roof", "cellar"):
        fill(make_series(uid), every_s=600)
    model.objects.all().delete()
    assert not Reading.objects.exists()
    assert not Rollup.objects.exists()
    assert not Series.objects.exists()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM ingest_recent")
            assert cursor.fetchone() == (0,)


def test_a_deletion_that_is_rolled_back_erases_nothing() -> None:
    set_watermark(SEALED_TO)
    series = make_series()
    fill(series, every_s=600)
    with transaction.atomic():
        Device.objects.get().delete()
        transaction.set_rollback(True)
    assert series.readings.count() == 18
    assert stored_rollups() == expected_rollups()
    assert catalogue() == 0


def test_no_batch_is_under_way_while_an_erasure_is() -> None:
    series = make_series()
    writer = connections.create_connection("default")
    with transaction.atomic():
        erase_span(series, at(0), at(1))
        assert not may_write(writer)
    assert may_write(writer)
    writer.close()


def may_write(writer: BaseDatabaseWrapper) -> bool:
    """Whether another connection gets at once what a batch begins with."""
    with writer.cursor() as cursor:
        if writer.vendor == "postgresql":
            cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [ADVISORY_LOCK])
            return bool(cursor.fetchone()[0])
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            cursor.execute("BEGIN IMMEDIATE")
        except OperationalError:
            return False
        cursor.execute("ROLLBACK")
        return True
