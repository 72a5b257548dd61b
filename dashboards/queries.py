"""History in buckets, as the database has it.

    history, tails ─▶ grid, spans (what to read) ─▶ queries_sqlite | queries_postgres ─▶ buckets

Every answer is one snapshot and obeys the watermark: what is read from rollups is completed with
the readings that they do not hold, never both. Readings are aggregated by the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.backends.utils import CursorWrapper

from dashboards import buckets, queries_postgres, queries_sqlite
from dashboards.buckets import Bucket
from dashboards.grid import Grid, wall_range_us
from dashboards.snapshot import one_snapshot
from dashboards.spans import FOR_EVER, Source, Span, finest, source_for, spans_of
from devices.models import Kind, Series
from ingest.fields import to_us
from ingest.horizons import kept_from
from ingest.models import Horizon, LineState


@dataclass(frozen=True, slots=True)
class SeriesHistory:
    """Buckets of one series in order of time; neighbours more than `gap_us` apart have a gap."""

    series: Series
    step_us: int
    gap_us: int
    buckets: list[Bucket]

    def columns(self) -> dict[str, list[Any]]:
        return buckets.columns(self.buckets, self.step_us, self.gap_us)


@dataclass(frozen=True, slots=True)
class History:
    """The readings in [start_us, end_us), which cut the first and the last bucket."""

    start_us: int
    end_us: int
    step_us: int
    zone: tzinfo
    source: Source
    series: list[SeriesHistory]


@dataclass(frozen=True, slots=True)
class Tail:
    """The buckets of a chart from the one that holds `from_us` on."""

    series_id: int
    step_us: int
    zone_name: str
    from_us: int


def history(
    series: Sequence[Series],
    start: datetime,
    end: datetime,
    points: int,
    zone: tzinfo = UTC,
    step_us: int | None = None,
) -> History:
    """The readings of numeric or boolean `series` from `start` up to `end`, exactly, in buckets.

    All of one step, the narrowest that makes at most `points` of each (and one more where the
    edges cut through two) of what is kept at `start`, or the one asked for. Steps of whole days
    begin at midnight in `zone`.
    ValueError where a series has texts, or the step asked for makes too many.
    """
    start_us, end_us = to_us(start), to_us(end)
    for one in series:
        if one.kind == Kind.TEXT:
            raise ValueError(f"{one.metric} has texts, which make no buckets")
    if step_us is None:
        by_clock_us = wall_range_us(start_us, end_us, zone)
        step_us = buckets.step_us_for(end_us - start_us, points, by_clock_us)
        step_us = max(step_us, _kept_unit_us(series, start_us))
    elif step_us < 1 or (end_us - start_us) > points * step_us:
        raise ValueError(f"a step of {step_us / 1000:g} ms makes more than {points} points")
    grid = Grid(step_us, zone)
    found = _read([(one.id, grid, start_us, end_us) for one in series])
    answers = []
    for one, its in zip(series, found, strict=True):
        gap_us = buckets.gap_us_for(its, step_us, one.device.expected_interval_s)
        answers.append(SeriesHistory(one, step_us, gap_us, its))
    return History(start_us, end_us, step_us, zone, source_for(step_us), answers)


def _kept_unit_us(series: Sequence[Series], at_us: int) -> int:
    """The narrowest buckets that can be made of a moment, of all of the series."""
    if at_us >= to_us(LineState.objects.values_list("horizon", flat=True).get(pk=1)):
        return 1
    kept = kept_from(Horizon.objects.filter(series__in=series))
    return max((finest(at_us, its).unit_us for its in kept.values()), default=1)


def tails(wanted: Collection[Tail], until_us: int) -> dict[Tail, list[Bucket]]:
    """What charts end in: whole buckets but for the last, which is cut at `until_us`.

    ZoneInfoNotFoundError, a KeyError, where a zone is unknown.
    """
    asked = []
    for tail in wanted:
        grid = Grid(tail.step_us, zone_named(tail.zone_name))
        asked.append((tail.series_id, grid, grid.floor(tail.from_us), until_us))
    return dict(zip(wanted, _read(asked), strict=True))


def zone_named(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def _read(asked: Sequence[tuple[int, Grid, int, int]]) -> list[list[Bucket]]:
    """The buckets of each (series id, grid, from, to), all as of one moment."""
    engine = queries_postgres if connection.vendor == "postgresql" else queries_sqlite
    parts: dict[int, list[Bucket]] = defaultdict(list)
    engine.prepare()
    with one_snapshot() as cursor:
        for owner, bucket in engine.read(cursor, list(_spans(cursor, asked))):
            parts[owner].append(bucket)
    return [buckets.merged(parts[owner]) for owner in range(len(asked))]


def _spans(cursor: CursorWrapper, asked: Sequence[tuple[int, Grid, int, int]]) -> Iterable[Span]:
    cursor.execute(
        "SELECT sealing_from, sealing_to, sealing_series, horizon"
        " FROM ingest_linestate WHERE id = 1"
    )
    sealing_from, sealing_to, through, horizon = cursor.fetchone()
    horizon_us = _us(horizon)
    old = {series_id for series_id, _, first_us, _ in asked if first_us < horizon_us}
    kept = kept_from(Horizon.objects.filter(series__in=old)) if old else {}
    for owner, (series_id, grid, first_us, last_us) in enumerate(asked):
        sealed_us = _us(sealing_to if series_id <= through else sealing_from)
        its = kept.get(series_id, FOR_EVER)
        yield from spans_of(owner, series_id, grid, first_us, last_us, sealed_us, its)


def _us(moment: datetime | int) -> int:
    return moment if isinstance(moment, int) else to_us(moment)
