"""The resources that are lists of devices, and those of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, Client
from django.test.utils import CaptureQueriesContext

from dashboards.access import EVERYTHING, Reader
from dashboards.api import counts, devices, latest
from dashboards.api.latest import LatestSelection
from dashboards.api.schemas import (
    CountsOut,
    DeviceCountsOut,
    DeviceLatestOut,
    DeviceOut,
    DevicesOut,
    LatestOut,
    SeriesListOut,
)
from dashboards.api.selection import LIMIT_MOST, Selection
from dashboards.live.present import Counts, DevicePresent, Known
from dashboards.live.routing import BOARD_KEY
from dashboards.pages.status import Status
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from ingest.models import RefusedReading, Stream
from tests.integration.api.conftest import NOW
from tests.integration.dashboards.stage import board_alone
from tests.integration.stored import store

NOW_MS = to_us(NOW) // 1_000


@pytest.fixture
def cellar(engine: str) -> Device:
    """Never seen, and out of use."""
    return Device.objects.create(
        uid="cellar", name="Kühler Keller 100%", enabled=False, tags=["south", "Wine_shelf"]
    )


def uids(client: Client, **asked: Any) -> list[str]:
    answer = client.get("/api/v1/devices", asked).json()
    assert answer["total"] == len(answer["devices"])
    return [device["uid"] for device in answer["devices"]]


def test_a_device_is_told_with_its_status(client: Client, roof: Device) -> None:
    listed = client.get("/api/v1/devices").json()
    DevicesOut.model_validate(listed)
    alone = client.get("/api/v1/devices/roof").json()
    DeviceOut.model_validate(alone)
    assert abs(alone.pop("at") - NOW_MS) < 3_600_000
    assert listed["devices"] == [alone]
    assert alone == {
        "uid": "roof",
        "name": "Roof",
        "status": "online",
        "seen": NOW_MS,
        "enabled": True,
        "tags": ["north"],
        "interval_s": 86_400.0,
        "created": to_us(roof.created_at) // 1_000,
    }


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["cellar", "roof"]),
    ({"q": "OO"}, ["roof"]),
    ({"q": "keller"}, ["cellar"]),
    ({"q": "100%"}, ["cellar"]),
    ({"q": "%"}, ["cellar"]),
    ({"q": "wine_"}, ["cellar"]),
    ({"q": "_"}, ["cellar"]),
    ({"q": "nor"}, ["roof"]),
    ({"q": "nothing"}, []),
    ({"tag": "north"}, ["roof"]),
    ({"tag": "nor"}, []),
    ({"tag": ["south", "north"]}, ["cellar", "roof"]),
    ({"status": "online"}, ["roof"]),
    ({"status": ["never seen", "stale"]}, ["cellar"]),
    ({"status": "offline"}, []),
    ({"enabled": "false"}, ["cellar"]),
    ({"enabled": "true", "tag": "south"}, []),
    ({"sort": "-uid"}, ["roof", "cellar"]),
    ({"sort": "name"}, ["cellar", "roof"]),
    ({"sort": "-created"}, ["cellar", "roof"]),
    ({"sort": "seen"}, ["cellar", "roof"]),
]


@pytest.mark.parametrize(("asked", "found"), FILTERS, ids=str)
def test_a_list_is_of_those_that_fit(
    client: Client, roof: Device, cellar: Device, asked: dict[str, Any], found: list[str]
) -> None:
    assert uids(client, **asked) == found


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        ({"status": "up"}, "status", "should be 'online', 'stale', 'offline' or 'never seen'."),
        ({"sort": "size"}, "sort", "sort should be 'uid', '-uid'"),
        ({"enabled": "maybe"}, "enabled", "enabled should be a valid boolean."),
        ({"limit": 0}, "limit", "greater than or equal to 1."),
        ({"limit": LIMIT_MOST + 1}, "limit", f"less than or equal to {LIMIT_MOST}."),
        ({"cursor": "x"}, "cursor", "cursor should be that of a page's next"),
        ({"cursor": "WzEsMl0"}, "cursor", "with the same sort."),
        ({"cursor": "WyJhIiwgMV0", "sort": "seen"}, "cursor", "with the same sort."),
        ({"tags": "north"}, "tags", "tags is no parameter here: it takes cursor, enabled,"),
        ({"q": "\0"}, "q", "q should have no NUL in it."),
    ],
)
def test_a_list_of_what_makes_no_sense_is_refused(
    client: Client, asked: dict[str, Any], field: str, said: str
) -> None:
    response = client.get("/api/v1/devices", asked)
    assert response.status_code == 422
    assert response.json()["field"] == field
    assert said in response.json()["detail"]


def add_many(number: int) -> None:
    """Of each name three, and of each time two, so that an order alone does not tell them apart."""
    Device.objects.bulk_create(
        Device(
            uid=f"d{n:02}",
            name=f"name {n % 3}",
            last_seen_at=NOW - timedelta(minutes=n // 2) if n % 5 else None,
            created_at=NOW - timedelta(seconds=n // 2, microseconds=n // 4),
        )
        for n in range(number)
    )


def walk(client: Client, address: str) -> list[list[str]]:
    pages = []
    next_address: str | None = address
    while next_address:
        answer = client.get(next_address).json()
        pages.append([device["uid"] for device in answer["devices"]])
        next_address = answer["next"]
    return pages


@pytest.mark.parametrize("name", ["uid", "name", "created", "seen"])
@pytest.mark.parametrize("sign", ["", "-"])
def test_pages_have_every_device_once_in_the_order_asked_for(
    client: Client, name: str, sign: str
) -> None:
    add_many(13)
    whole = walk(client, f"/api/v1/devices?sort={sign}{name}")
    pages = walk(client, f"/api/v1/devices?sort={sign}{name}&limit=4&q=d")
    assert [len(page) for page in pages] == [4, 4, 4, 1]
    assert list(chain(*pages)) == whole[0]
    assert len(set(whole[0])) == 13


def test_a_device_that_goes_between_two_pages_takes_no_other_with_it(client: Client) -> None:
    add_many(6)
    first = client.get("/api/v1/devices?limit=3").json()
    Device.objects.filter(uid__in=["d00", "d02"]).delete()
    assert walk(client, first["next"]) == [["d03", "d04", "d05"]]
    assert first["total"] == 6


def test_the_last_page_has_no_next_also_when_it_is_full(client: Client) -> None:
    add_many(4)
    assert client.get("/api/v1/devices?limit=4").json()["next"] is None


def test_the_series_of_a_device_come_with_what_they_are(client: Client, roof: Device) -> None:
    answer = client.get("/api/v1/devices/roof/series").json()
    SeriesListOut.model_validate(answer)
    kinds = {one["metric"]: one["kind"] for one in answer["series"]}
    assert kinds == {"door": "boolean", "state": "text", "temperature": "number"}
    temperature = answer["series"][-1]
    del temperature["created"]
    assert temperature == {
        "metric": "temperature",
        "kind": "number",
        "unit": "°C",
        "low": 5.0,
        "high": 30.0,
    }


def test_latest_values_come_with_time_kind_and_unit(client: Client, roof: Device) -> None:
    answer = client.get("/api/v1/devices/roof/latest").json()
    DeviceLatestOut.model_validate(answer)
    assert answer["values"] == {
        "door": {"time": NOW_MS, "value": True, "kind": "boolean", "unit": ""},
        "temperature": {"time": NOW_MS, "value": 20.0, "kind": "number", "unit": "°C"},
    }
    listed = client.get("/api/v1/latest").json()
    LatestOut.model_validate(listed)
    assert listed["devices"][0]["values"] == answer["values"]


def test_latest_values_may_be_of_some_metrics(client: Client, roof: Device) -> None:
    for address in ("/api/v1/devices/roof/latest", "/api/v1/latest"):
        answer = client.get(address, {"metric": ["door", "none"]}).json()
        shown = answer.get("devices", [answer])[0]
        assert set(shown["values"]) == {"door"}


def refuse(device: Device, code: str, count: int) -> None:
    RefusedReading.objects.create(device=device, code=code, message=code, count=count)


def test_counts_tell_refusals_by_code_and_each_stream(client: Client, roof: Device) -> None:
    for code, count in [("kind_mismatch", 1), ("not_finite", 2), ("kind_mismatch", 3)]:
        refuse(roof, code, count)
    Stream.objects.create(
        device=roof, name="s", epoch=1, committed=7, lost=1, stored=20, duplicate=2, rejected=3,
        used_at=NOW,
    )  # fmt: skip
    answer = client.get("/api/v1/devices/roof/counts").json()
    DeviceCountsOut.model_validate(answer)
    assert answer["since_start"] is None
    assert answer["refused"] == {"kind_mismatch": 4, "not_finite": 2}
    [stream] = answer["streams"]
    assert stream == {
        "name": "s",
        "committed": 7,
        "lost": 1,
        "stored": 20,
        "duplicate": 2,
        "rejected": 3,
        "used": NOW_MS,
    }
    listed = client.get("/api/v1/counts").json()
    CountsOut.model_validate(listed)
    assert listed["devices"][0]["streams"] == [stream]


@pytest.mark.parametrize("rest", ["", "/series", "/latest", "/counts"])
def test_a_device_that_is_not_there_is_named(client: Client, rest: str) -> None:
    for uid in ("none", "a b", "x" * 300):
        response = client.get(f"/api/v1/devices/{uid}{rest}")
        assert response.status_code == 404
        assert response.json()["detail"] == f"There is no device {uid}."
        assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("scope", [["device:cellar"], ["tag:south"], ["tag:x", "device:cellar"]])
def test_nothing_tells_of_a_device_that_is_out_of_scope(
    reading: Callable[..., Client], roof: Device, cellar: Device, scope: list[str]
) -> None:
    client = reading(*scope)
    refuse(roof, "not_finite", 1)
    for resource in ("devices", "latest", "counts"):
        for asked in ({}, {"limit": 1}, {"status": ["online", "never seen"]}, {"q": "roof"}):
            answer = client.get(f"/api/v1/{resource}", asked)
            assert b"roof" not in answer.content.lower()
            assert (answer.json()["next"], answer.json()["total"]) == (None, int("q" not in asked))
    for rest in ("", "/series", "/latest", "/counts"):
        hidden = client.get(f"/api/v1/devices/roof{rest}")
        absent = client.get(f"/api/v1/devices/gone{rest}")
        assert hidden.status_code == 404
        assert hidden.content.replace(b"roof", b"gone") == absent.content
    assert client.get("/api/v1/devices/cellar").status_code == 200


def add_full_devices(*numbers: int) -> None:
    for n in numbers:
        device = Device.objects.create(
            uid=f"full-{n}", tags=["t"], last_seen_at=NOW, expected_interval_s=86_400
        )
        series = Series.objects.create(device=device, metric="x", kind=Kind.NUMBER)
        store(series, [(NOW, float(n))])
        refuse(device, "not_finite", 1)
        Stream.objects.create(device=device, name="s", epoch=1, used_at=NOW)


@pytest.mark.parametrize(("resource", "most"), [("devices", 5), ("latest", 11), ("counts", 7)])
def test_many_devices_cost_no_more_statements_than_one(
    reading: Callable[..., Client], resource: str, most: int
) -> None:
    client = reading("tag:t")
    asked: dict[str, Any] = {"q": "full", "status": "online"}
    if resource == "history":
        asked = {"series": "full-1/x", "from": "now-1h"}
    add_full_devices(1)
    client.get("/api/v1/devices")  # the first writes down that the token was used
    with CaptureQueriesContext(connection) as few:
        assert client.get(f"/api/v1/{resource}", asked).status_code == 200
    add_full_devices(*range(2, 12))
    if resource == "history":
        asked["series"] = [f"full-{n}/x" for n in range(1, 12)]
    with CaptureQueriesContext(connection) as many:
        assert client.get(f"/api/v1/{resource}", asked).status_code == 200
    assert len(many) <= len(few) <= most, "\n".join(query["sql"][:90] for query in many)


@pytest.fixture
def in_a_hub(roof: Device) -> HttpRequest:
    """A request to a hub whose board knows more than the database does yet."""
    counts: Counts = {"stored": 5, "duplicate": 1, "rejected": 0}
    known = DevicePresent("roof", "Roof", 1.0, NOW_MS, {"temperature": (NOW_MS, 99.5)}, counts)
    board = board_alone()
    board.prime(Known([known], 0), 0)
    Device.objects.update(last_seen_at=None)
    request = AsyncRequestFactory().get("/api/v1/")
    request.scope = {**request.scope, BOARD_KEY: board}
    request.auth = Reader(EVERYTHING)  # type: ignore[attr-defined]
    return request


def told(answer: HttpResponse) -> Any:
    return json.loads(answer.content)


def test_what_the_board_knows_is_told_where_there_is_one(in_a_hub: HttpRequest) -> None:
    device = told(devices.device(in_a_hub, "roof"))
    assert (device["seen"], device["status"]) != (None, "never seen")
    listed = told(latest.latest(in_a_hub, LatestSelection(metric=["temperature"])))
    [shown] = listed["devices"]
    assert shown["values"]["temperature"]["value"] == 99.5
    assert told(counts.device_counts(in_a_hub, "roof"))["since_start"] == {
        "stored": 5,
        "duplicate": 1,
        "rejected": 0,
    }


def test_a_status_is_looked_for_where_it_is_told_from(in_a_hub: HttpRequest) -> None:
    word = told(devices.device(in_a_hub, "roof"))["status"]
    for status in Status:
        listed = told(devices.devices(in_a_hub, Selection(status=[status])))
        assert [each["uid"] for each in listed["devices"]] == ["roof"] * (status == word)
