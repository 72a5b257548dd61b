"""A writer goes on rightly after an erasure that came between its batches, on both engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from devices.models import Device, Kind, Series
from ingest.erasure import erase_series, erase_span
from ingest.fields import from_us
from ingest.models import Reading, RefusedReading, Stream
from ingest.reading import Code, Frame, Refusal, Run
from ingest.storage import Engine, Outcome, Submission
from ingest.storage.postgres import PostgresEngine
from ingest.storage.sqlite import SqliteEngine
from ingest.storage.transaction import Transactions
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import expected_rollups, stored_rollups

NOON_US = 1_795_608_000_000_000


@pytest.fixture
def writer(engine: str) -> Iterator[Transactions]:  # noqa: F811
    settings = connection.settings_dict
    opened: Engine
    if engine == "sqlite":
        opened = SqliteEngine(settings["NAME"])
    else:
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
        opened = PostgresEngine(
            {"dbname": settings["NAME"], **{key: settings[name] for key, name in names.items()}}
        )
    yield Transactions(opened, refused_kept=100, metrics=2_000)
    opened.close()


def frame(device: Device, at_s: int, kind: Kind, value: float, *refusals: Refusal) -> Submission:
    at_us = NOON_US + at_s * 1_000_000
    run = Run("t", int(kind), [at_us], [value], [0])
    sent = Frame([run], list(refusals), 1 + len(refusals))
    return Submission("connection", device.pk, 1, 1, sent, 0.0)


def write(writer: Transactions, submission: Submission) -> tuple[int, int]:
    """How many readings were stored, and how many rejected."""
    outcome: Outcome = writer.write([submission], NOON_US)
    (settlement,) = outcome.settlements
    return settlement.stored, settlement.rejected


def test_a_reset_series_takes_the_kind_of_its_next_reading(writer: Transactions) -> None:
    device = Device.objects.create(uid="roof")
    assert write(writer, frame(device, 0, Kind.BOOLEAN, 1.0)) == (1, 0)
    assert write(writer, frame(device, 1, Kind.NUMBER, 21.5)) == (0, 1)
    erase_series(Series.objects.get())
    assert write(writer, frame(device, 2, Kind.NUMBER, 21.5)) == (1, 0)
    assert Series.objects.get().kind == Kind.NUMBER
    readings = Reading.objects.values_list("series_id", "time", "value")
    assert list(readings) == [(Series.objects.get().pk, from_us(NOON_US + 2_000_000), 21.5)]


def test_sealing_after_an_erasure_rolls_up_what_remains(writer: Transactions) -> None:
    device = Device.objects.create(uid="roof")
    for second in range(0, 300, 10):
        write(writer, frame(device, second, Kind.NUMBER, float(second)))
    while writer.engine.seal(NOON_US + 120_000_000):
        pass
    series = Series.objects.get()
    erase_span(series, from_us(NOON_US + 90_000_000), from_us(NOON_US + 150_000_000))
    assert stored_rollups() == expected_rollups() != {}
    write(writer, frame(device, 95, Kind.NUMBER, 0.5))
    assert stored_rollups() == expected_rollups()
    while writer.engine.seal(NOON_US + 600_000_000):
        pass
    assert stored_rollups() == expected_rollups()
    assert series.readings.count() == 30 - 6 + 1


@pytest.mark.parametrize("refusals", [0, 1])
def test_frames_of_a_device_that_was_deleted_meanwhile_harm_nobody(
    writer: Transactions, refusals: int
) -> None:
    device, neighbour = (Device.objects.create(uid=uid) for uid in ("roof", "cellar"))
    write(writer, frame(device, 0, Kind.NUMBER, 1.0))
    gone = Device(pk=device.pk)
    device.delete()
    refused = [Refusal(Code.TS_UNIT, 1)] * refusals
    late = frame(gone, 1, Kind.NUMBER, 2.0, *refused)
    other = frame(neighbour, 1, Kind.NUMBER, 3.0)
    other.connection = "another"
    outcome = writer.write([late, other], NOON_US)
    assert [s.stored for s in outcome.settlements] == [0, 1]
    assert [s.rejected for s in outcome.settlements] == [1 + refusals, 0]
    assert list(Reading.objects.values_list("value", flat=True)) == [3.0]
    assert not RefusedReading.objects.exists()
    assert not Stream.objects.exists()
