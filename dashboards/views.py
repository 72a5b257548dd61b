"""The pages: their first paint, and the history and refusals they ask for afterwards.

The present comes from the board of this process, or from the database where there is none yet;
from then on `/ws/live/` keeps a page current. Knows nothing of how the board is fed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from dashboards import queries, status
from dashboards.present import DevicePresent
from dashboards.routing import board_of
from dashboards.wording import ago_text, value_text
from devices.models import Device, Kind
from ingest.fields import from_us

# A row shows this many values; the rest is a click away. More would make rows of uneven height.
VALUES_IN_ROW = 4
REFUSED_SHOWN = 20
POINTS_DEFAULT, POINTS_MAX = 600, 2_000
RANGES = {"5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 604_800}
RANGES |= {"30d": 2_592_000}
RANGE_DEFAULT = "15m"
# Line colours in `tokens.css`; a metric keeps its own because series keep their order.
TONES = 6


@dataclass(frozen=True)
class ShownValue:
    metric: str
    text: str
    at: datetime
    ago: str


@dataclass(frozen=True)
class Row:
    """A device as its row, or the head of its page, shows it."""

    device: DevicePresent
    status: status.Status
    seen_at: datetime | None
    ago: str
    values: list[ShownValue]

    @property
    def stored(self) -> str:
        return f"{self.device.counts['stored']:,}"

    @property
    def rejected(self) -> str:
        return f"{self.device.counts['rejected']:,}"

    @property
    def values_in_row(self) -> list[ShownValue]:
        return self.values[:VALUES_IN_ROW]

    @property
    def more(self) -> int:
        return max(0, len(self.values) - VALUES_IN_ROW)


def row_of(device: DevicePresent, now_ms: int) -> Row:
    relay_interval_s = settings.OPTIONS.relay_interval_s
    values = [
        ShownValue(
            metric, value_text(value), from_us(round(ts_ms * 1000)), ago_text(now_ms - ts_ms)
        )
        for metric, (ts_ms, value) in sorted(device.values.items())
    ]
    return Row(
        device,
        status.status_of(device.seen_ms, now_ms, device.interval_s, relay_interval_s),
        from_us(device.seen_ms * 1000) if device.seen_ms is not None else None,
        ago_text(now_ms - device.seen_ms) if device.seen_ms is not None else "never",
        values,
    )


def page_context(request: HttpRequest, now_ms: int) -> dict[str, Any]:
    """What every live page tells its scripts, and its snippets the reader."""
    return {
        "now_ms": now_ms,
        "relay_interval_s": settings.OPTIONS.relay_interval_s,
        "default_interval_s": status.DEFAULT_INTERVAL_S,
        "online_intervals": status.ONLINE_INTERVALS,
        "stale_intervals": status.STALE_INTERVALS,
        "values_in_row": VALUES_IN_ROW,
        "hub_url": f"{request.scheme}://{request.get_host()}",
    }


@require_safe
@login_required
def fleet(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    board = board_of(request)
    devices = board.devices() if board and board.primed else queries.fleet()
    rows = [row_of(device, now_ms) for device in sorted(devices, key=lambda each: each.uid)]
    chips = [
        (word.value, word.slug, sum(row.status is word for row in rows)) for word in status.Status
    ]
    context = {
        "rows": rows,
        "chips": chips,
        "total": len(rows),
        "online": chips[0][2],
        "anything_seen": any(row.seen_at for row in rows),
        "first_uid": rows[0].device.uid if rows else "porch",
    }
    return render(request, "dashboards/fleet.html", page_context(request, now_ms) | context)


@require_safe
@login_required
def device(request: HttpRequest, uid: str) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    found = get_object_or_404(Device, uid=uid)
    board = board_of(request)
    now = (board.device(uid) if board else None) or queries.device_present(found)
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
    return render(request, "dashboards/device.html", page_context(request, now_ms) | context)


@require_safe
@login_required
def refused(request: HttpRequest, uid: str) -> HttpResponse:
    """The rows of the refusals' table alone, for a page that saw their count grow."""
    found = get_object_or_404(Device, uid=uid)
    context = {"refused": found.refused.all()[:REFUSED_SHOWN]}
    return render(request, "dashboards/refused.html", context)


@require_safe
@login_required
def history(request: HttpRequest, uid: str) -> HttpResponse:
    """Columns of each `metric` asked for, `from` and `to` in milliseconds, in at most `points`."""
    found = get_object_or_404(Device, uid=uid)
    try:
        start, end, points = span_asked(request)
        wanted = found.series.filter(metric__in=request.GET.getlist("metric"))
        answers = {
            one.metric: answer(queries.history(one, start, end, points))
            for one in wanted.exclude(kind=Kind.TEXT).select_related("device")
        }
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


def answer(found: queries.History) -> dict[str, Any]:
    last = found.buckets[-1].last_us / 1000 if found.buckets else None
    return {
        "from": found.start_us / 1000,
        "to": found.end_us / 1000,
        "step_ms": found.step_us / 1000,
        "gap_ms": found.gap_us / 1000,
        "source": found.source.name.lower(),
        "last_ts": last,
        "columns": found.columns(),
    }


def json_response(body: dict[str, Any], code: int) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json", status=code)
