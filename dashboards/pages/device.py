"""A device's page: its first paint, and the refusals it asks for afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboards import latest
from dashboards.live.present import DevicePresent, Value
from dashboards.live.routing import board_of
from dashboards.pages.context import page_context
from dashboards.pages.operate import operate_context
from dashboards.pages.permission import needs_look
from dashboards.pages.refusals import reasons
from dashboards.pages.rows import row_of
from dashboards.pages.wording import ago_text, out_text, value_text
from devices.models import Device, Kind, Series
from ingest.fields import from_us

# Line colours in `tokens.css`; a metric keeps its own because series keep their order.
TONES = 6
# What the first paint has; the page's script makes the rest, of a device with a thousand metrics
# only what is looked at.
CHARTS_PAINTED, VALUES_PAINTED = 24, 100


@require_safe
@needs_look
def device(request: HttpRequest, uid: str) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    found = get_object_or_404(Device, uid=uid)
    board = board_of(request)
    now = (board.device(uid) if board else None) or latest.device_present(found)
    series = list(found.series.order_by("id"))
    context = {
        "found": found,
        "row": row_of(now, now_ms),
        "metrics": [described(one) for one in series],
        "charts": charts([one for one in series if one.kind != Kind.TEXT]),
        "latest": latest_values(now, {one.metric: one for one in series}, now_ms),
        "refused": reasons(found, now_ms),
    }
    context |= page_context(request, now_ms) | operate_context(request, found, now)
    return render(request, "dashboards/device.html", context)


@require_safe
@needs_look
def refused(request: HttpRequest, uid: str) -> HttpResponse:
    """The reasons alone, for a page that saw the count of its refusals grow."""
    found = get_object_or_404(Device, uid=uid)
    context = {"refused": reasons(found, round(time.time() * 1000))}
    return render(request, "dashboards/refused.html", context)


def described(one: Series) -> dict[str, Any]:
    kind = Kind(one.kind).name.lower()
    return {
        "metric": one.metric,
        "kind": kind,
        "unit": one.unit,
        "low": one.low,
        "high": one.high,
    }


def charts(series: list[Series]) -> list[tuple[Series, int, bool]]:
    """The first charts: series, tone, and whether it is drawn in steps."""
    painted = series[:CHARTS_PAINTED]
    return [(one, at % TONES, one.kind == Kind.BOOLEAN) for at, one in enumerate(painted)]


@dataclass(frozen=True)
class LatestValue:
    metric: str
    text: str
    unit: str
    out: str
    """How it lies outside of its band, in words."""
    at: datetime
    ago: str


def latest_values(
    now: DevicePresent, series: Mapping[str, Series], now_ms: int
) -> list[LatestValue]:
    """The first of them, in the order of their metrics."""
    painted = sorted(now.values.items())[:VALUES_PAINTED]
    return [
        _latest_value(metric, value, ts_ms, series.get(metric) or Series(), now_ms)
        for metric, (ts_ms, value) in painted
    ]


def _latest_value(metric: str, value: Value, ts_ms: float, one: Series, now_ms: int) -> LatestValue:
    return LatestValue(
        metric,
        value_text(value),
        one.unit if one.kind == Kind.NUMBER else "",
        out_text(value, one.low, one.high, one.unit),
        from_us(round(ts_ms * 1000)),
        ago_text(now_ms - ts_ms),
    )
