"""History in buckets, as the database has it.

Every answer is one snapshot and obeys the watermark: rollups hold the readings of a series before
it, so what is read from rollups is completed with the readings at or after it, never both.
Plain SQL, because the two engines keep readings differently and rows here come by the thousand.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from dashboards import buckets
from dashboards.snapshot import one_snapshot
from devices.models import Series
from ingest.fields import from_us, to_us


@dataclass(frozen=True)
class History:
    """Buckets of one series. `start_us` and `end_us` are those asked for, widened to steps."""

    start_us: int
    end_us: int
    step_us: int
    gap_us: int
    source: buckets.Source
    buckets: list[buckets.Bucket]

    def columns(self) -> dict[str, list[Any]]:
        return buckets.columns(self.buckets, self.step_us, self.gap_us)


SQLITE_ROLLUPS = """
    SELECT start, count, sum, min, max, first, first_time, last, last_time FROM ingest_rollup
    WHERE series_id = %s AND step_s = %s AND start >= %s AND start < %s"""
SQLITE_READINGS = """
    SELECT time, value FROM ingest_reading WHERE series_id = %s AND time >= %s AND time < %s"""
_US = "(extract(epoch FROM {}) * 1000000)::bigint"
POSTGRESQL_ROLLUPS = f"""
    SELECT {_US.format("start")}, count, sum, min, max,
           first, {_US.format("first_time")}, last, {_US.format("last_time")} FROM ingest_rollup
    WHERE series_id = %s AND step_s = %s AND start >= %s AND start < %s"""
POSTGRESQL_READINGS = f"""
    SELECT {_US.format("time")}, value FROM ingest_reading
    WHERE series_id = %s AND time >= %s AND time < %s"""


def history(series: Series, start: datetime, end: datetime, points: int) -> History:
    """The readings of a numeric or boolean `series` from `start` up to `end`, exactly, in buckets.

    At most `points` buckets, and one more where the edges cut through two. OverflowError where
    the widened edges leave the calendar.
    """
    start_us, end_us = to_us(start), to_us(end)
    step_us = buckets.step_us_for(end_us - start_us, points)
    start_us -= start_us % step_us
    end_us += -end_us % step_us
    source = buckets.source_for(step_us)
    with one_snapshot() as cursor:
        readings_from_us, rollups = start_us, []
        if source is not buckets.Source.READINGS:
            readings_from_us = max(start_us, _watermark_us(cursor, series.id))
            rollups = _rollups(cursor, series.id, source, start_us, end_us)
        readings = _readings(cursor, series.id, readings_from_us, end_us)
        folded = buckets.fold(rollups, readings, step_us)
    gap_us = buckets.gap_us_for(folded, step_us, series.device.expected_interval_s)
    return History(start_us, end_us, step_us, gap_us, source, folded)


def _watermark_us(cursor: CursorWrapper, series_id: int) -> int:
    """Readings of the series are in its rollups exactly where their time is before this."""
    cursor.execute(
        "SELECT CASE WHEN %s <= sealing_series THEN sealing_to ELSE sealing_from END"
        " FROM ingest_linestate WHERE id = 1",
        [series_id],
    )
    (watermark,) = cursor.fetchone()
    return to_us(watermark) if isinstance(watermark, datetime) else watermark


def _rollups(
    cursor: CursorWrapper, series_id: int, source: buckets.Source, start_us: int, end_us: int
) -> list[buckets.Bucket]:
    postgresql = connection.vendor == "postgresql"
    cursor.execute(
        POSTGRESQL_ROLLUPS if postgresql else SQLITE_ROLLUPS,
        [series_id, int(source), *_span(start_us, end_us)],
    )
    return [buckets.Bucket(*row) for row in cursor.fetchall()]


def _readings(
    cursor: CursorWrapper, series_id: int, start_us: int, end_us: int
) -> list[tuple[int, float]]:
    if start_us >= end_us:
        return []
    postgresql = connection.vendor == "postgresql"
    cursor.execute(
        POSTGRESQL_READINGS if postgresql else SQLITE_READINGS,
        [series_id, *_span(start_us, end_us)],
    )
    readings: list[tuple[int, float]] = cursor.fetchall()
    return readings


def _span(start_us: int, end_us: int) -> list[Any]:
    if connection.vendor == "postgresql":
        return [from_us(start_us), from_us(end_us)]
    return [start_us, end_us]
