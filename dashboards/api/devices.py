"""`/api/v1/devices`: the fleet, one device, and its series."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from dashboards.api.answers import answer
from dashboards.api.auth import reader_of
from dashboards.api.now import Now
from dashboards.api.parameters import device_of, refuse_unknown
from dashboards.api.schemas import DeviceOut, DevicesOut, SeriesListOut
from dashboards.api.selection import Selection, page_of
from devices.models import Device, Kind, Series
from ingest.fields import to_us

router = Router(tags=["Devices"])


@router.get("/devices", response=DevicesOut, summary="Devices", url_name="devices")
def devices(request: HttpRequest, asked: Query[Selection]) -> HttpResponse:
    """The devices that fit all of the filters, a page at a time: `next` is the address of the
    page that follows, null on the last one; `total` is how many there are on all of them."""
    refuse_unknown(request, Selection)
    now = Now(request)
    page = page_of(request, reader_of(request), asked, now)
    shown = [about(device, now) for device in page.devices]
    return answer({"total": page.total, "next": page.next, "devices": shown}, now.at_ms)


@router.get("/devices/{uid}", response=DeviceOut, summary="One device", url_name="device")
def device(request: HttpRequest, uid: str) -> HttpResponse:
    """One device, as it is in the list."""
    refuse_unknown(request)
    now = Now(request)
    return answer(about(device_of(reader_of(request), uid), now), now.at_ms)


@router.get(
    "/devices/{uid}/series", response=SeriesListOut, summary="Series of a device", url_name="series"
)
def series(request: HttpRequest, uid: str) -> HttpResponse:
    """All series of a device, which has at most `WEIR_METRICS` of them, by their metric."""
    refuse_unknown(request)
    found = device_of(reader_of(request), uid)
    rows = found.series.order_by("metric")
    return answer({"device": found.uid, "series": [about_series(one) for one in rows]})


def about(device: Device, now: Now) -> dict[str, Any]:
    return now.device(device) | {
        "enabled": device.enabled,
        "tags": device.tags,
        "interval_s": device.expected_interval_s,
        "created": to_us(device.created_at) // 1_000,
    }


def about_series(series: Series) -> dict[str, Any]:
    return {
        "metric": series.metric,
        "kind": Kind(series.kind).word,
        "unit": series.unit,
        "low": series.low,
        "high": series.high,
        "created": to_us(series.created_at) // 1_000,
    }
