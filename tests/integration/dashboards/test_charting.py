"""What charts end in, read from either database as a dashboard is told it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from dashboards.charting import read_tails
from dashboards.live.charts import Chart
from dashboards.live.lines import Wanted
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark, store

pytestmark = pytest.mark.usefixtures("engine")

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_MS = to_us(NOON) / 1_000
SECOND = timedelta(seconds=1)


def make_series(uid: str, metric: str, kind: Kind = Kind.NUMBER) -> Series:
    device, _ = Device.objects.get_or_create(uid=uid)
    return Series.objects.create(device=device, metric=metric, kind=kind)


def wanted(series: str, step_ms: int, from_: datetime, zone: str = "UTC") -> Wanted:
    return Wanted(Chart(series, step_ms, zone), to_us(from_), 1_234, to_us(NOON))


def read(*asked: Wanted) -> list[dict[str, Any] | None]:
    return [orjson.loads(text) if text else None for text in read_tails(asked)]


def test_a_tail_has_all_of_its_first_bucket_and_what_came_after() -> None:
    series = make_series("roof", "a/b")
    set_watermark(NOON - timedelta(hours=1))
    store(series, [(NOON + n * SECOND, float(n)) for n in range(5)])
    [tail] = read(wanted("roof/a/b", 2_000, NOON + 3 * SECOND))
    assert tail == {
        "series": "roof/a/b",
        "step_ms": 2_000,
        "zone": "UTC",
        "after": 1_234,
        "from": NOON_MS + 2_000,
        "columns": {
            "start": [NOON_MS + 2_000, NOON_MS + 4_000],
            "count": [2, 1],
            "min": [2.0, 4.0],
            "max": [3.0, 4.0],
            "mean": [2.5, 4.0],
            "first": [2.0, 4.0],
            "last": [3.0, 4.0],
        },
    }


def test_each_is_answered_in_its_place_and_what_has_no_buckets_is_none() -> None:
    store(make_series("roof", "temperature"), [(NOON, 1.0)])
    store(make_series("porch", "temperature"), [(NOON, 2.0)])
    make_series("roof", "state", Kind.TEXT)
    names = ("porch/temperature", "roof/state", "roof/temperature", "porch/state", "new/one")
    tails = read(*(wanted(name, 1_000, NOON) for name in names))
    assert [tail and tail["columns"]["last"] for tail in tails] == [[2.0], None, [1.0], None, None]


def test_a_day_begins_at_its_zones_midnight() -> None:
    store(make_series("roof", "temperature"), [(NOON, 1.0)])
    [tail] = read(wanted("roof/temperature", 86_400_000, NOON, "Asia/Kolkata"))
    assert tail is not None
    assert tail["from"] == NOON_MS - (12 + 5.5) * 3_600_000


def test_a_reading_ahead_of_the_hubs_clock_is_in_its_tail() -> None:
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=9)
    store(make_series("roof", "temperature"), [(ahead, 1.0)])
    asked = Wanted(Chart("roof/temperature", 1_000, "UTC"), to_us(ahead), 0, to_us(ahead))
    [tail] = read(asked)
    assert tail is not None
    assert tail["columns"]["count"] == [1]
