"""`/api/v1/latest`: the newest reading of each series, of one device or of many."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from dashboards.api.answers import answer
from dashboards.api.auth import reader_of
from dashboards.api.now import Now
from dashboards.api.parameters import device_of, refuse_unknown
from dashboards.api.schemas import DeviceLatestOut, LatestOut
from dashboards.api.selection import Selection, page_of

router = Router(tags=["Readings"])

Metrics = Annotated[
    list[str],
    Field(description="This metric alone; given again: these.", max_length=100),
]


class LatestQuery(Schema):
    metric: Metrics = []


class LatestSelection(Selection):
    metric: Metrics = []


@router.get("/latest", response=LatestOut, summary="Latest values", url_name="latest")
def latest(request: HttpRequest, asked: Query[LatestSelection]) -> HttpResponse:
    """The latest values of many devices, chosen and paged as the list of devices is. Latest by the
    reading's own time: what came late never takes the place of what was later."""
    refuse_unknown(request, LatestSelection)
    now = Now(request)
    page = page_of(request, reader_of(request), asked, now)
    values = now.values(page.devices, asked.metric)
    shown = [now.device(device) | {"values": values[device.id]} for device in page.devices]
    return answer({"total": page.total, "next": page.next, "devices": shown}, now.at_ms)


@router.get(
    "/devices/{uid}/latest",
    response=DeviceLatestOut,
    summary="Latest values of a device",
    url_name="device-latest",
)
def device_latest(request: HttpRequest, uid: str, asked: Query[LatestQuery]) -> HttpResponse:
    """The latest value of each metric of a device."""
    refuse_unknown(request, LatestQuery)
    now = Now(request)
    found = device_of(reader_of(request), uid)
    values = now.values([found], asked.metric)
    return answer(now.device(found) | {"values": values[found.id]}, now.at_ms)
