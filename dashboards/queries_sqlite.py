"""Reads spans of readings and rollups as buckets, in SQLite.

What is to be read goes into a temporary table first, one row a bucket: its order is the order of
the groups, so nothing is sorted to be grouped (`docs/decisions/history.md`). First and last values
are looked up by key. Recent readings are keyed by time, those of all series together: one pass over
the time asked for serves all that is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper

from dashboards.buckets import Bucket
from dashboards.spans import Span

_TABLES = (
    """CREATE TEMP TABLE IF NOT EXISTS history_bucket (
        id integer PRIMARY KEY, span integer NOT NULL, start_us integer NOT NULL,
        series_id integer NOT NULL, step_s integer NOT NULL,
        from_us integer NOT NULL, to_us integer NOT NULL)""",
    """CREATE TEMP TABLE IF NOT EXISTS history_recent (
        series_id integer NOT NULL, span integer NOT NULL,
        origin_us integer NOT NULL, width_us integer NOT NULL,
        from_us integer NOT NULL, to_us integer NOT NULL,
        PRIMARY KEY (series_id, span)) WITHOUT ROWID""",
)
_ASKED = """
    SELECT json_extract(value, '$[0]') AS span, json_extract(value, '$[1]') AS series_id,
           json_extract(value, '$[2]') AS step_s, json_extract(value, '$[3]') AS origin_us,
           json_extract(value, '$[4]') AS width_us, json_extract(value, '$[5]') AS from_us,
           json_extract(value, '$[6]') AS to_us
    FROM json_each(%s)"""
_ASK_BUCKETS = f"""
    WITH RECURSIVE split (span, start_us, width_us, series_id, step_s, from_us, to_us) AS (
        SELECT span, origin_us + (from_us - origin_us) / width_us * width_us, width_us,
               series_id, step_s, from_us, to_us FROM ({_ASKED})
        UNION ALL
        SELECT span, start_us + width_us, width_us, series_id, step_s, from_us, to_us FROM split
        WHERE start_us + width_us < to_us)
    INSERT INTO history_bucket (span, start_us, series_id, step_s, from_us, to_us)
    SELECT span, start_us, series_id, step_s,
           max(start_us, from_us), min(start_us + width_us, to_us) FROM split"""
_ASK_RECENT = f"""
    INSERT INTO history_recent (series_id, span, origin_us, width_us, from_us, to_us)
    SELECT series_id, span, origin_us, width_us, from_us, to_us FROM ({_ASKED})"""
ROLLUPS = """
    SELECT span, start_us, count, sum, min, max,
           (SELECT first FROM ingest_rollup
            WHERE series_id = g.series_id AND step_s = g.step_s AND start = g.first_start),
           first_us,
           (SELECT last FROM ingest_rollup
            WHERE series_id = g.series_id AND step_s = g.step_s AND start = g.last_start),
           last_us
    FROM (SELECT b.span, b.start_us, b.series_id, b.step_s, sum(r.count) AS count,
                 sum(r.sum) AS sum, min(r.min) AS min, max(r.max) AS max,
                 min(r.start) AS first_start, max(r.start) AS last_start,
                 min(r.first_time) AS first_us, max(r.last_time) AS last_us
          FROM history_bucket b CROSS JOIN ingest_rollup r
            ON r.series_id = b.series_id AND r.step_s = b.step_s
           AND r.start >= b.from_us AND r.start < b.to_us
          WHERE b.step_s > 0 GROUP BY b.id) g"""
_READINGS = """
    SELECT span, start_us, count, sum, min, max,
           (SELECT value FROM {table} WHERE series_id = g.series_id AND time = g.first_us),
           first_us,
           (SELECT value FROM {table} WHERE series_id = g.series_id AND time = g.last_us),
           last_us
    FROM ({grouped}) g"""
_FIGURES = """
    count(*) AS count, sum(r.value) AS sum, min(r.value) AS min, max(r.value) AS max,
    min(r.time) AS first_us, max(r.time) AS last_us"""
SEALED = _READINGS.format(
    table="ingest_sealed",
    grouped=f"""
        SELECT b.span, b.start_us, b.series_id, {_FIGURES}
        FROM history_bucket b CROSS JOIN ingest_sealed r
          ON r.series_id = b.series_id AND r.time >= b.from_us AND r.time < b.to_us
        WHERE b.step_s = 0 GROUP BY b.id""",
)
RECENT = _READINGS.format(
    table="ingest_recent",
    grouped=f"""
        SELECT a.span, a.series_id, {_FIGURES},
               a.origin_us + (r.time - a.origin_us) / a.width_us * a.width_us AS start_us
        FROM ingest_recent r CROSS JOIN history_recent a
          ON a.series_id = r.series_id AND r.time >= a.from_us AND r.time < a.to_us
        WHERE r.time >= %s AND r.time < %s GROUP BY a.span, start_us""",
)


def prepare() -> None:
    """Make this connection's temporary tables, outside of the transaction that would undo it."""
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(table)


def read(cursor: CursorWrapper, spans: Sequence[Span]) -> Iterator[tuple[int, Bucket]]:
    """Parts of buckets with the owners of their spans; a bucket of two spans comes in two."""
    statements: list[tuple[str, list[int]]] = []
    sealed = [index for index, span in enumerate(spans) if not span.recent]
    recent = [index for index, span in enumerate(spans) if span.recent]
    if sealed:
        _ask(cursor, _ASK_BUCKETS, "history_bucket", spans, sealed)
        statements += [(ROLLUPS, []), (SEALED, [])]
    if recent:
        _ask(cursor, _ASK_RECENT, "history_recent", spans, recent)
        from_us = min(spans[index].run.from_us for index in recent)
        to_us = max(spans[index].run.to_us for index in recent)
        statements.append((RECENT, [from_us, to_us]))
    for statement, parameters in statements:
        cursor.execute(statement, parameters)
        for span, *bucket in cursor.fetchall():
            yield spans[span].owner, Bucket(*bucket)


def _ask(
    cursor: CursorWrapper, insert: str, table: str, spans: Sequence[Span], which: Sequence[int]
) -> None:
    rows = []
    for index in which:
        span, run = spans[index], spans[index].run
        cut = (run.origin_us, run.width_us, run.from_us, run.to_us)
        rows.append((index, span.series_id, int(span.source), *cut))
    cursor.execute(f"DELETE FROM {table}")
    cursor.execute(insert, [orjson.dumps(rows).decode()])
