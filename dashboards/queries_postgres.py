"""Reads spans of readings and rollups as buckets, in PostgreSQL.

One look into the key for each span, by a lateral subquery, which goes to the partitions that can
have rows of it alone. First and last values are looked up by key, in scalar subqueries: a join
would be planned by statistics that fit no one series.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.db.backends.utils import CursorWrapper

from dashboards.buckets import Bucket
from dashboards.spans import Source, Span
from ingest.fields import from_us

_US = "(extract(epoch FROM {}) * 1000000)::bigint"
_SPANS = """unnest(%s::int[], %s::bigint[], %s::int[], %s::timestamptz[], %s::interval[],
                 %s::timestamptz[], %s::timestamptz[])
            AS s (span, series_id, step_s, origin, width, start, stop)"""
ROLLUPS = f"""
    SELECT span, {_US.format("bucket")}, count, sum, min, max,
           (SELECT first FROM ingest_rollup
            WHERE series_id = g.series_id AND step_s = g.step_s AND start = g.first_start),
           {_US.format("first_time")},
           (SELECT last FROM ingest_rollup
            WHERE series_id = g.series_id AND step_s = g.step_s AND start = g.last_start),
           {_US.format("last_time")}
    FROM (SELECT s.span, s.series_id, s.step_s, r.* FROM {_SPANS} CROSS JOIN LATERAL (
            SELECT date_bin(s.width, start, s.origin) AS bucket, sum(count)::bigint AS count,
                   sum(sum) AS sum, min(min) AS min, max(max) AS max,
                   min(start) AS first_start, max(start) AS last_start,
                   min(first_time) AS first_time, max(last_time) AS last_time
            FROM ingest_rollup WHERE series_id = s.series_id AND step_s = s.step_s
                                 AND start >= s.start AND start < s.stop
            GROUP BY 1) AS r) AS g"""
READINGS = f"""
    SELECT span, {_US.format("bucket")}, count, sum, min, max,
           (SELECT value FROM ingest_reading
            WHERE series_id = g.series_id AND time = g.first_time),
           {_US.format("first_time")},
           (SELECT value FROM ingest_reading
            WHERE series_id = g.series_id AND time = g.last_time),
           {_US.format("last_time")}
    FROM (SELECT s.span, s.series_id, r.* FROM {_SPANS} CROSS JOIN LATERAL (
            SELECT date_bin(s.width, time, s.origin) AS bucket, count(*) AS count,
                   sum(value) AS sum, min(value) AS min, max(value) AS max,
                   min(time) AS first_time, max(time) AS last_time
            FROM ingest_reading WHERE series_id = s.series_id
                                  AND time >= s.start AND time < s.stop
            GROUP BY 1) AS r) AS g"""


def prepare() -> None:
    """Nothing is needed before the transaction."""


def read(cursor: CursorWrapper, spans: Sequence[Span]) -> Iterator[tuple[int, Bucket]]:
    """Parts of buckets with the owners of their spans; a bucket of two spans comes in two."""
    rollups = [index for index, span in enumerate(spans) if span.source is not Source.READINGS]
    readings = [index for index, span in enumerate(spans) if span.source is Source.READINGS]
    for statement, which in ((ROLLUPS, rollups), (READINGS, readings)):
        if which:
            cursor.execute(statement, _parameters(spans, which))
            for span, *bucket in cursor.fetchall():
                yield spans[span].owner, Bucket(*bucket)


def _parameters(spans: Sequence[Span], which: Sequence[int]) -> list[list[object]]:
    rows = []
    for index in which:
        span, run = spans[index], spans[index].run
        width = timedelta(microseconds=run.width_us)
        cut = (from_us(run.origin_us), width, from_us(run.from_us), from_us(run.to_us))
        rows.append((index, span.series_id, int(span.source), *cut))
    return [list(column) for column in zip(*rows, strict=True)]
