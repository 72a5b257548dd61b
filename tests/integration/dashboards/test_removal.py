"""Series that are reset and devices that are deleted on their pages, with the readings counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from dashboards import extent
from devices import roles
from devices.models import Device, Kind, Series
from devices.tokens import issue
from ingest.models import Reading
from tests.integration.dashboards.conftest import browser_of
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store, stored_rollups

START = datetime(2026, 11, 23, 6, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture
def operator(engine: str) -> Client:  # noqa: F811
    roles.make_groups()
    return browser_of("olga", roles.OPERATORS)


@pytest.fixture
def roof(engine: str) -> Device:  # noqa: F811
    """An hour of temperatures, half of them sealed."""
    set_watermark(START + timedelta(minutes=30))
    device = Device.objects.create(uid="roof", name="Roof")
    series = Series.objects.create(device=device, metric="temperature", kind=Kind.NUMBER)
    store(series, [(START + timedelta(minutes=n), float(n)) for n in range(60)])
    return device


def last_note() -> str:
    entry = LogEntry.objects.latest("pk")
    return f"{entry.user} {entry.object_repr}: {entry.get_change_message()}"


def test_a_series_is_reset_with_its_readings_after_they_were_counted(
    operator: Client, roof: Device
) -> None:
    path = f"/devices/roof/series/{roof.series.get().pk}/reset/"
    assert "Delete 60 readings" in operator.get(path).content.decode()
    assert Reading.objects.count() == 60
    answer = operator.post(path, follow=True)
    assert "temperature is reset, and 60 readings deleted" in answer.content.decode()
    assert not Reading.objects.exists()
    assert stored_rollups() == {}
    assert not roof.series.exists()
    assert last_note() == "olga roof temperature: Reset, with 60 readings."


def test_a_device_is_deleted_when_its_uid_was_typed(operator: Client, roof: Device) -> None:
    issue(roof)
    page = operator.get("/devices/roof/delete/").content.decode()
    assert "<dt>Readings</dt><dd>60</dd>" in page
    assert "<dt>Tokens</dt><dd>1</dd>" in page
    for typed in ("", "Roof", "roo"):
        answer = operator.post("/devices/roof/delete/", {"typed": typed})
        assert answer.status_code == 200
        assert Device.objects.exists()
    answer = operator.post("/devices/roof/delete/", {"typed": "roof"}, follow=True)
    assert "roof is deleted, with 60 readings" in answer.content.decode()
    assert not Device.objects.exists()
    assert not Reading.objects.exists()
    assert last_note() == "olga Roof: Deleted, with 60 readings."


@pytest.mark.parametrize("sealed_minutes", [0, 7, 30, 60, 90])
def test_readings_are_counted_exactly_wherever_the_watermark_is(
    engine: str,  # noqa: F811
    sealed_minutes: int,
) -> None:
    device = Device.objects.create(uid="roof")
    first, second = (
        Series.objects.create(device=device, metric=metric, kind=Kind.NUMBER) for metric in "ab"
    )
    sealed = START + timedelta(minutes=sealed_minutes)
    set_watermark(sealed, sealed + timedelta(minutes=1), first.pk)
    for series in (first, second):
        store(series, [(START + timedelta(minutes=n), 1.0) for n in range(90)])
    assert extent.readings_of_series(first) == extent.readings_of_series(second) == 90
    assert extent.readings_of_device(device) == 180
