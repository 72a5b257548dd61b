"""`docs/api.md` cannot lie: its requests are asked, and its lists are the code's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboards.api.history import POINTS_DEFAULT, POINTS_MOST, POINTS_TOGETHER, SERIES_MOST
from dashboards.api.problems import KINDS
from dashboards.api.selection import LIMIT_DEFAULT, LIMIT_MOST
from devices.models import Device, Kind, Series
from ingest.models import RefusedReading, Stream
from tests.integration.stored import set_watermark, store

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```http\n(.*?)^```\n\n```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
LAST = NOON + timedelta(minutes=2)


@pytest.fixture
def as_on_the_page(engine: str) -> None:
    roof = Device.objects.create(
        uid="roof", name="The roof", tags=["north"], expected_interval_s=10,
        created_at=NOON, last_seen_at=LAST,
    )  # fmt: skip
    Device.objects.create(uid="cellar", tags=["north"], created_at=NOON)
    Series.objects.create(device=roof, metric="door", kind=Kind.BOOLEAN, created_at=NOON)
    temperature = Series.objects.create(
        device=roof, metric="temperature", kind=Kind.NUMBER, unit="°C", low=5, high=30,
        created_at=NOON,
    )  # fmt: skip
    set_watermark(NOON + timedelta(minutes=1))
    times = [NOON, NOON + timedelta(seconds=30), NOON + timedelta(minutes=1), LAST]
    store(temperature, zip(times, [19.5, 20.5, 21.0, 21.5], strict=True))
    RefusedReading.objects.create(device=roof, code="kind_mismatch", message="-", count=2)
    Stream.objects.create(
        device=roof, name="main", epoch=1, committed=7, stored=4, duplicate=1, rejected=2,
        used_at=LAST,
    )  # fmt: skip


@pytest.mark.usefixtures("as_on_the_page")
@pytest.mark.parametrize(("request_text", "answer"), EXAMPLES, ids=lambda text: text[:60])
def test_each_example_is_answered_as_it_says(
    reading: Callable[..., Client], request_text: str, answer: str
) -> None:
    [asked, shown] = request_text.splitlines()
    assert shown == "Authorization: Bearer weir_read_…"
    method, address = asked.split(" ")
    said = reading().generic(method, address).json()
    expected = json.loads(answer)
    assert without_what_differs(said) == without_what_differs(expected)


def without_what_differs(answer: dict[str, Any]) -> dict[str, Any]:
    """The hub's time; and a cursor has a device's id in it."""
    kept = {key: value for key, value in answer.items() if key != "at"}
    if kept.get("next"):
        kept["next"] = kept["next"].partition("&cursor=")[:2]
    return kept


def test_every_resource_is_on_the_page(client: Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    for path in paths:
        assert path.replace("{uid}", "roof").replace("/{kind}", "") in PAGE, path


def test_the_page_lists_every_kind_of_problem() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGE, re.MULTILINE)
    listed = {kind: int(status) for status, kinds in rows for kind in re.findall("`(.*?)`", kinds)}
    assert listed == {kind: status for kind, (status, _, _) in KINDS.items()}


def test_the_numbers_on_the_page_are_the_codes() -> None:
    text = " ".join(PAGE.split())
    assert (
        f"at most `limit` devices, {LIMIT_DEFAULT} if not said and {LIMIT_MOST:,} at most" in text
    )
    assert f"up to {SERIES_MOST};" in text
    assert (
        f"{POINTS_DEFAULT} if not said, {POINTS_MOST:,} at most and {POINTS_TOGETHER:,} of all"
    ) in text
