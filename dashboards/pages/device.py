"""A device's page: its first paint, and the history and refusals it asks for afterwards."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboards import latest, queries
from dashboards.live.routing import board_of
from dashboards.pages.context import page_context
from dashboards.pages.operate import operate_context
from dashboards.pages.permission import needs_look
from dashboards.pages.rows import row_of
from devices.models import Device, Kind
from ingest.fields import from_us

REFUSED_SHOWN = 20
POINTS_DEFAULT, POINTS_MAX = 600, 2_000
RANGES = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
RANGES |= {"30d": 2_592_000}
RANGE_DEFAULT = "15m"
# Line colours in `tokens.css`; a metric keeps its own because series keep their order.
TONES = 6


@require_safe
@needs_look
def device(request: HttpRequest, uid: str) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    found = get_object_or_404(Device, uid=uid)
    board = board_of(request)
    now = (board.device(uid) if board else None) or latest.device_present(found)
    series = list(found.series.exclude(kind=Kind.TEXT).order_by("id"))
    asked = request.GET.get("range", "")
    context = {
        "found": found,
        "row": row_of(now, now_ms),
        "charts": [(one, index % TONES) for index, one in enumerate(series)],
        "boolean": Kind.BOOLEAN,
        "ranges": RANGES.items(),
        "range": asked if asked in RANGES else RANGE_DEFAULT,
        "refused": found.refused.all()[:REFUSED_SHOWN],
    }
    context |= page_context(request, now_ms) | operate_context(request, found, now)
    return render(request, "dashboards/device.html", context)


@require_safe
@needs_look
def refused(request: HttpRequest, uid: str) -> HttpResponse:
    """The rows of the refusals' table alone, for a page that saw their count grow."""
    found = get_object_or_404(Device, uid=uid)
    context = {"refused": found.refused.all()[:REFUSED_SHOWN]}
    return render(request, "dashboards/refused.html", context)


@require_safe
@needs_look
def history(request: HttpRequest, uid: str) -> HttpResponse:
    """Columns of each `metric` asked for, `from` and `to` in milliseconds, in at most `points`."""
    found = get_object_or_404(Device, uid=uid)
    try:
        start, end, points = span_asked(request)
        wanted = found.series.filter(metric__in=request.GET.getlist("metric"))
        series = list(wanted.exclude(kind=Kind.TEXT).select_related("device"))
        answers = answers_of(queries.history(series, start, end, points))
    except (KeyError, ValueError, OverflowError) as error:
        return json_response({"error": f"from, to and points are numbers: {error}"}, 400)
    return json_response({"metrics": answers}, 200)


def span_asked(request: HttpRequest) -> tuple[datetime, datetime, int]:
    start = from_us(round(float(request.GET["from"]) * 1000))
    end = from_us(round(float(request.GET["to"]) * 1000))
    points = int(request.GET.get("points", POINTS_DEFAULT))
    if end <= start:
        raise ValueError("to must be after from")
    return start, end, min(max(points, 2), POINTS_MAX)


def answers_of(found: queries.History) -> dict[str, dict[str, Any]]:
    shared = {
        "from": found.start_us / 1000,
        "to": found.end_us / 1000,
        "step_ms": found.step_us / 1000,
        "source": found.source.name.lower(),
    }
    return {
        one.series.metric: shared
        | {
            "gap_ms": one.gap_us / 1000,
            "last_ts": one.buckets[-1].last_us / 1000 if one.buckets else None,
            "columns": one.columns(),
        }
        for one in found.series
    }


def json_response(body: dict[str, Any], code: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json", status=code)
