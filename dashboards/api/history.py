"""`/api/v1/history`: readings of some series in buckets, as columns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field, field_validator

from dashboards import queries
from dashboards.access import Reader
from dashboards.api.answers import answer
from dashboards.api.auth import reader_of
from dashboards.api.parameters import refuse_unknown
from dashboards.api.problems import bad_parameter, not_found
from dashboards.api.schemas import HistoryOut
from dashboards.timespan import span
from devices.models import Kind, Series
from ingest.fields import to_us

# What one page may chart; and of each, more points than a screen has pixels.
SERIES_MOST: Final = 100
POINTS_DEFAULT, POINTS_MOST = 600, 5_000
# Of all series together: some 10 MB of answer, and what a request may cost the process's memory.
POINTS_TOGETHER: Final = 100_000

router = Router(tags=["Readings"])


class HistoryQuery(Schema):
    series: Annotated[
        list[str],
        Field(
            min_length=1,
            max_length=SERIES_MOST,
            description=f"`UID/METRIC`, once for each series, at most {SERIES_MOST}.",
            examples=[["roof/temperature"]],
        ),
    ]
    start: Annotated[
        str,
        Field(
            alias="from",
            description="Where it begins: Unix milliseconds, ISO 8601 with an offset, or `now-1h`"
            " (s, m, h, d, w).",
            examples=["now-1h"],
        ),
    ]
    end: Annotated[
        str,
        Field(
            alias="to",
            description="Up to where, not included; written as `from`.",
            examples=["now"],
        ),
    ] = "now"
    points: Annotated[
        int,
        Field(
            ge=1,
            le=POINTS_MOST,
            description="At most so many buckets of each series, and one more for cut edges."
            f" Of all series together at most {POINTS_TOGETHER:,}.",
        ),
    ] = POINTS_DEFAULT
    zone: Annotated[
        str,
        Field(description="Where days begin at midnight: `Europe/Berlin`, say."),
    ] = "UTC"
    step_ms: Annotated[
        int | None,
        Field(
            ge=1,
            description="The width of a bucket; left out, the narrowest that `points` allow.",
        ),
    ] = None

    @field_validator("zone")
    @classmethod
    def names_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("should be a zone such as Europe/Berlin, or UTC") from None
        return value


@router.get(
    "/history",
    response=HistoryOut,
    by_alias=True,
    summary="History of some series",
    url_name="history",
)
def history(request: HttpRequest, asked: Query[HistoryQuery]) -> HttpResponse:
    """What the readings of each span of time come to: buckets with count, least, greatest, mean,
    first and last, as columns of one length. Exact, the running bucket included; a gap is one row
    of nulls with a count of 0. All series have the same step. `at` is the hub's time just before
    it looked: all that was committed before is in the answer."""
    refuse_unknown(request, HistoryQuery)
    now = datetime.now(UTC)
    start, end = span(asked.start, asked.end, now)
    found = series_of(reader_of(request), asked.series)
    step_us = step_us_of(asked, to_us(end) - to_us(start))
    zone = queries.zone_named(asked.zone)
    at_ms = time.time_ns() // 1_000_000
    known = queries.history(found, start, end, asked.points, zone, step_us)
    return answer(content_of(known, asked.zone), at_ms)


def series_of(reader: Reader, names: Sequence[str]) -> list[Series]:
    """The series of these names, in their order. Raises Problem where one has no history."""
    pairs = {name: _split(name) for name in names}
    fits = reduce(or_, (Q(device__uid=uid, metric=metric) for uid, metric in pairs.values()))
    rows = reader.series().filter(fits).select_related("device")
    known = {(one.device.uid, one.metric): one for one in rows}
    found = []
    for name, pair in pairs.items():
        if (one := known.get(pair)) is None:
            raise not_found(f"There is no series {name}.", "series")
        if one.kind == Kind.TEXT:
            raise bad_parameter("series", f"should be of numbers or booleans; {name} is of texts")
        found.append(one)
    return found


def _split(name: str) -> tuple[str, str]:
    uid, slash, metric = name.partition("/")
    if not (uid and slash and metric):
        raise bad_parameter("series", f"should be UID/METRIC, not {name!r}")
    return uid, metric


def step_us_of(asked: HistoryQuery, range_us: int) -> int | None:
    """The step asked for, if any. Raises Problem where the answer would be too long."""
    together = len(asked.series) * asked.points
    if together > POINTS_TOGETHER:
        should = f"should be at most {POINTS_TOGETHER // len(asked.series)} for so many series"
        raise bad_parameter("points", should)
    if asked.step_ms is None:
        return None
    if range_us > asked.step_ms * 1_000 * asked.points:
        raise bad_parameter(
            "step_ms", f"should be wider: from and to are more than {asked.points} of them apart"
        )
    return asked.step_ms * 1_000


def content_of(known: queries.History, zone: str) -> dict[str, Any]:
    return {
        "from": known.start_us / 1_000,
        "to": known.end_us / 1_000,
        "step_ms": known.step_us / 1_000,
        "zone": zone,
        "source": known.source.name.lower(),
        "series": [
            {
                "device": its.series.device.uid,
                "metric": its.series.metric,
                "kind": Kind(its.series.kind).word,
                "unit": its.series.unit,
                "low": its.series.low,
                "high": its.series.high,
                "gap_ms": its.gap_us / 1_000,
                "columns": its.columns(),
            }
            for its in known.series
        ],
    }
