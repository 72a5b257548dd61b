"""The compare page: several series of several devices on one time axis, as its address says.

An address has a `series=uid/metric` for each line, in the order of their colours; an empty one
keeps a colour's place, so that the others stay as they are when a series is taken away.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboards.pages.context import page_context
from dashboards.pages.permission import needs_look
from devices.models import Device, Kind, Series

# Tones of `tokens.css`, each in as many dashes as `chart.js` has: more lines look alike.
TONES, DASHES = 6, 3
SERIES_MAX: Final = TONES * DASHES
AXES: Final = 2
"""Units that one chart has room for, left and right; of more, each gets a chart."""
FOUND_MAX: Final = 20
SHARED_MAX: Final = 5
WORDS_MAX: Final = 8


@dataclass(frozen=True)
class Line:
    """A series in its place of the address."""

    place: int
    series: Series

    @property
    def key(self) -> str:
        return f"{self.series.device.uid}/{self.series.metric}"

    @property
    def tone(self) -> int:
        return self.place % TONES

    @property
    def dash(self) -> int:
        return self.place // TONES

    @property
    def is_stepped(self) -> bool:
        return self.series.kind == Kind.BOOLEAN


@require_safe
@needs_look
def compare(request: HttpRequest) -> HttpResponse:
    now_ms = round(time.time() * 1000)
    asked = request.GET.getlist("series")
    lines, unknown = chosen(asked[:SERIES_MAX])
    drawn = charts(lines)
    context = {
        "charts": drawn,
        # Where one has an axis on the right, the others leave as much room, for times to align.
        "aligned": any(len({line.series.unit for line in chart}) > 1 for chart in drawn),
        "unknown": unknown,
        "left_out": [key for key in asked[SERIES_MAX:] if key],
        "most": SERIES_MAX,
        "shared": [] if lines else shared_metrics(),
    }
    context["anything"] = bool(lines or context["shared"])
    return render(request, "dashboards/compare.html", page_context(request, now_ms) | context)


@require_safe
@needs_look
@never_cache
def candidates(request: HttpRequest) -> HttpResponse:
    """The first series that fit the words of `q` and are not among the `series` of the page."""
    found = matching(request.GET.get("q", "").split()[:WORDS_MAX])
    taken = chosen(request.GET.getlist("series")[:SERIES_MAX])[0]
    rows = found.exclude(id__in=[line.series.id for line in taken])[: FOUND_MAX + 1]
    context = {"found": rows[:FOUND_MAX], "more": len(rows) > FOUND_MAX}
    return render(request, "dashboards/compare/candidates.html", context)


def matching(words: Iterable[str]) -> Any:
    """Series that can be drawn and have each of `words` in their device's names or their own."""
    found = Series.objects.exclude(kind=Kind.TEXT).select_related("device")
    for word in words:
        found = found.filter(
            Q(device__uid__icontains=word)
            | Q(device__name__icontains=word)
            | Q(metric__icontains=word)
        )
    return found.order_by("device__uid", "metric")


@dataclass(frozen=True)
class Shared:
    """A metric of numbers, of as many devices as have it and a chart has tones for."""

    metric: str
    keys: list[str]

    @property
    def query(self) -> str:
        return urlencode([("series", key) for key in self.keys])

    @property
    def devices(self) -> str:
        return "1 device" if len(self.keys) == 1 else f"{len(self.keys)} devices"


def shared_metrics() -> list[Shared]:
    """To begin with where nothing is chosen: the metrics that most devices have."""
    numbers = Series.objects.filter(kind=Kind.NUMBER)
    counts = numbers.values("metric").annotate(devices=Count("id")).order_by("-devices", "metric")
    found = []
    for metric in counts.values_list("metric", flat=True)[:SHARED_MAX]:
        uids = numbers.filter(metric=metric).order_by("device__uid")
        keys = [f"{uid}/{metric}" for uid in uids.values_list("device__uid", flat=True)[:TONES]]
        found.append(Shared(metric, keys))
    return found


def chosen(asked: Sequence[str]) -> tuple[list[Line], list[str]]:
    """The lines there are of those asked for, and what is said of the others."""
    # A uid has no slash, a metric may have some.
    parts = {key: key.partition("/") for key in asked if key}
    found = {
        (series.device.uid, series.metric): series
        for series in Series.objects.select_related("device").filter(
            device__uid__in={uid for uid, _, _ in parts.values()},
            metric__in={metric for _, _, metric in parts.values()},
        )
    }
    lines, unknown = [], []
    for place, key in enumerate(asked):
        if not key or key in asked[:place]:
            continue
        uid, _, metric = parts[key]
        series = found.get((uid, metric))
        if series is None or series.kind == Kind.TEXT:
            unknown.append(why_not(uid, metric, series))
        else:
            lines.append(Line(place, series))
    return lines, unknown


def why_not(uid: str, metric: str, series: Series | None) -> str:
    if series is not None:
        return f"{uid}/{metric} has texts, which make no line."
    if not metric:
        return f"{uid} names no series: those are a device, a slash and a metric."
    if Device.objects.filter(uid=uid).exists():
        return f"{uid}/{metric} is not known: the device has sent no {metric}."
    return f"{uid}/{metric} is not known: there is no device {uid}."


def charts(lines: list[Line]) -> list[list[Line]]:
    """Those that share a chart: numbers of one unit, or of two; a boolean has one of its own."""
    return list(_charts(lines))


def _charts(lines: list[Line]) -> Iterator[list[Line]]:
    numbers = [line for line in lines if not line.is_stepped]
    units = list(dict.fromkeys(line.series.unit for line in numbers))
    if numbers and len(units) <= AXES:
        yield numbers
    else:
        for unit in units:
            yield [line for line in numbers if line.series.unit == unit]
    for line in lines:
        if line.is_stepped:
            yield [line]
