"""The system page: how this hub process is, as its own figures tell, and those figures as JSON.

The page works rates out of two answers; here are totals alone, all of one moment.
"""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import django
import orjson
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from dashboards.pages import panels
from dashboards.pages.context import page_context
from dashboards.pages.figures import OUTCOMES, Figures, read_figures
from dashboards.pages.permission import needs_look
from dashboards.pages.quantities import count_text, quantity_text, span_text
from ingest.fields import to_us
from ingest.models import LineState
from ingest.storage import Reason

SHARE: Final = 1_000
"""Bars are as wide as this many parts."""


@dataclass(frozen=True)
class Counted:
    """A counter as it is painted first."""

    counter: panels.Counter
    total: float

    @property
    def text(self) -> str:
        return count_text(self.total)


@dataclass(frozen=True)
class Table:
    """Counters under one heading. Those that never counted anything are shown on demand."""

    slug: str
    title: str
    column: str
    lead: str
    rows: list[Counted]


@require_safe
@needs_look
def system(request: HttpRequest) -> HttpResponse:
    figures = read_figures()
    context = {
        "figures": figures,
        "texts": texts(figures),
        "taken": count_text(figures["readings_taken"]),
        "outcomes": outcomes(figures),
        "unaccounted": figures.unaccounted,
        "alarms": alarms(figures),
        "timings": panels.TIMINGS,
        "gauges": gauges(figures),
        "tables": tables(figures),
        "versions": versions(),
    }
    return render(request, "dashboards/system.html", page_context(request, figures.at_ms) | context)


@require_safe
@needs_look
@never_cache
def figures(request: HttpRequest) -> HttpResponse:
    """One reading of the registry. `texts` are for what goes up and down, as people read it."""
    found = read_figures()
    body = {
        "at": found.at_ms,
        "hub": found.hub,
        "values": found.values | derived(found),
        "histograms": found.histograms,
        "texts": texts(found),
    }
    return HttpResponse(orjson.dumps(body), content_type="application/json")


def texts(figures: Figures) -> dict[str, str]:
    up_s = figures.up_s
    return {
        "process": f"{figures.pid} on {figures.host}",
        "up": "an unknown time" if up_s is None else span_text(up_s),
        "sealing_behind": sealing_behind(figures.at_ms),
    } | {
        name: quantity_text(figures[name], gauge.unit)
        for panel in panels.GAUGES.values()
        for gauge in panel
        for name in (gauge.name, gauge.of)
        if name in figures.values
    }


def sealing_behind(now_ms: int) -> str:
    """How far back the watermark is: of the database, whichever hub moves it."""
    watermark = LineState.objects.values_list("sealing_from", flat=True).get(pk=1)
    return span_text(now_ms / 1_000 - to_us(watermark) / 1_000_000)


def derived(figures: Figures) -> dict[str, float]:
    """What alarms look at besides: above 0 where something is wrong."""
    return {"unaccounted": figures.unaccounted, "not_durable": 1 - figures.values.get("durable", 1)}


def outcomes(figures: Figures) -> list[dict[str, Any]]:
    """Where each taken reading is, in the order of the sum."""
    names = {outcome: f"readings/{outcome}" for outcome in OUTCOMES}
    names["pending"] = "readings_pending"
    taken = figures["readings_taken"] or 1
    return [
        {
            "word": word,
            "name": name,
            "text": count_text(figures[name]),
            "share": SHARE * figures[name] / taken,
            "meaning": panels.OUTCOMES[word],
            "is_settled": word != "pending",
        }
        for word, name in names.items()
    ]


def alarms(figures: Figures) -> list[dict[str, Any]]:
    """What may be wrong, and whether it is: names a figure that is above 0 while it holds."""
    found = [(f"database_trouble/{reason}", panels.trouble(reason)) for reason in Reason]
    found += panels.ALARMS.items()
    values = figures.values | derived(figures)
    return [
        {"name": name, "words": words, "holds": bool(values.get(name))} for name, words in found
    ]


def gauges(figures: Figures) -> list[dict[str, Any]]:
    return [
        {
            "title": title,
            "rows": [
                {
                    "gauge": gauge,
                    "text": quantity_text(figures[gauge.name], gauge.unit),
                    "of": quantity_text(figures[gauge.of], gauge.unit) if gauge.of else "",
                    "share": SHARE * figures[gauge.name] / (figures[gauge.of] or 1),
                }
                for gauge in panel
                if gauge.name in figures.values
            ],
        }
        for title, panel in panels.GAUGES.items()
    ]


def tables(figures: Figures) -> list[Table]:
    ended = panels.ended(figures.labels("closed"), figures.labels("connections_cut"))
    return [
        Table(slug, title, column, lead, counted(figures, counters or ended))
        for slug, title, column, lead, counters in panels.TABLES
    ]


def counted(figures: Figures, counters: Iterable[panels.Counter]) -> list[Counted]:
    return [Counted(counter, figures[counter.name]) for counter in counters]


def versions() -> str:
    if connection.vendor == "postgresql":
        # A page without a database connection was not let in: the server has told its version.
        database = "PostgreSQL {}.{}".format(*divmod(connection.pg_version, 10_000))  # type: ignore[attr-defined]
    else:
        database = f"SQLite {sqlite3.sqlite_version}"
    python = platform.python_version()
    return f"Weir {settings.VERSION}, Python {python}, Django {django.get_version()}, {database}"
