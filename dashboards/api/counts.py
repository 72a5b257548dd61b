"""`/api/v1/counts`: what became of the readings that devices sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from dashboards.api.answers import answer
from dashboards.api.auth import reader_of
from dashboards.api.now import Now
from dashboards.api.parameters import device_of, refuse_unknown
from dashboards.api.schemas import CountsOut, DeviceCountsOut
from dashboards.api.selection import Selection, page_of
from devices.models import Device
from ingest.fields import to_us
from ingest.models import RefusedReading, Stream

router = Router(tags=["Counts"])


@router.get("/counts", response=CountsOut, summary="Counts by outcome", url_name="counts")
def counts(request: HttpRequest, asked: Query[Selection]) -> HttpResponse:
    """What became of the readings of many devices, chosen and paged as the list of devices is.

    `since_start` counts from when the hubs started, all of them together. `refused` counts by code
    what is kept of refused readings, of each device the newest `WEIR_REFUSED_KEPT`. `streams` are
    counted in the database and outlive the hubs; what came on plain connections is not in them."""
    refuse_unknown(request, Selection)
    now = Now(request)
    page = page_of(request, reader_of(request), asked, now)
    shown = counted(page.devices, now)
    return answer({"total": page.total, "next": page.next, "devices": shown}, now.at_ms)


@router.get(
    "/devices/{uid}/counts",
    response=DeviceCountsOut,
    summary="Counts of a device",
    url_name="device-counts",
)
def device_counts(request: HttpRequest, uid: str) -> HttpResponse:
    """What became of the readings of one device."""
    refuse_unknown(request)
    now = Now(request)
    [shown] = counted([device_of(reader_of(request), uid)], now)
    return answer(shown, now.at_ms)


def counted(devices: Sequence[Device], now: Now) -> list[dict[str, Any]]:
    """Two statements, however many devices."""
    refused, streams = refused_of(devices), streams_of(devices)
    return [
        now.device(device)
        | {
            "since_start": now.counts(device),
            "refused": refused[device.id],
            "streams": streams[device.id],
        }
        for device in devices
    ]


def refused_of(devices: Sequence[Device]) -> dict[int, dict[str, int]]:
    rows = RefusedReading.objects.filter(device__in=devices).order_by("device_id", "code")
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for device_id, code, many in rows.values_list("device_id", "code").annotate(Sum("count")):
        found[device_id][code] = many
    return found


def streams_of(devices: Sequence[Device]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in Stream.objects.filter(device__in=devices).order_by("name"):
        found[one.device_id].append(
            {
                "name": one.name,
                "committed": one.committed,
                "lost": one.lost,
                "stored": one.stored,
                "duplicate": one.duplicate,
                "rejected": one.rejected,
                "used": to_us(one.used_at) // 1_000,
            }
        )
    return found
