"""Makes rollups of what is old enough, and corrects them by what came late.

The readings stay where they are; sealing only reads them, and moves the watermark, in one
transaction under the exclusive advisory lock. It goes by spans of time short enough that no ack
waits long for one.
"""

from __future__ import annotations

from typing import Final

import psycopg
from psycopg import errors

# Writers share it from the watermark to the commit; sealing and erasing take it for themselves.
ADVISORY_LOCK: Final = 0x57454952
MINUTE_US: Final = 60_000_000
# Writers that come while sealing waits for its lock wait behind it, so it does not wait long.
LOCK_TIMEOUT: Final = "100ms"

_FOLD: Final = """
WITH source AS MATERIALIZED (SELECT series_id, time, value FROM {source}),
minutes AS (
    SELECT series_id, date_bin('1 minute', time, '1970-01-01 00:00:00+00') AS start,
           count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max,
           min(time) AS first_time, max(time) AS last_time
    FROM source GROUP BY 1, 2)
INSERT INTO folded
SELECT m.series_id, m.start, m.count, m.sum, m.min, m.max, f.value, m.first_time, l.value, m.last_time
FROM minutes m
JOIN source f ON f.series_id = m.series_id AND f.time = m.first_time
JOIN source l ON l.series_id = m.series_id AND l.time = m.last_time
"""
_HOURS: Final = """
SELECT series_id, 3600, date_bin('1 hour', start, '1970-01-01 00:00:00+00'), sum(count), sum(sum),
       min(min), max(max), (array_agg(first ORDER BY start))[1], min(first_time),
       (array_agg(last ORDER BY start DESC))[1], max(last_time)
FROM folded GROUP BY 1, 3
"""
_MINUTES: Final = """
SELECT series_id, 60, start, count, sum, min, max, first, first_time, last, last_time FROM folded
"""
# Additions, never read-modify-write: late readings meet their rollups by the same statement.
_ADD: Final = """
INSERT INTO ingest_rollup AS r
    (series_id, step_s, start, count, sum, min, max, first, first_time, last, last_time)
{rollups} ORDER BY 1, 3
ON CONFLICT (series_id, step_s, start) DO UPDATE SET
    count = r.count + excluded.count, sum = r.sum + excluded.sum,
    min = least(r.min, excluded.min), max = greatest(r.max, excluded.max),
    first = CASE WHEN excluded.first_time < r.first_time THEN excluded.first ELSE r.first END,
    first_time = least(r.first_time, excluded.first_time),
    last = CASE WHEN excluded.last_time > r.last_time THEN excluded.last ELSE r.last END,
    last_time = greatest(r.last_time, excluded.last_time)
"""
_SPAN: Final = (
    "ingest_reading WHERE time >= to_timestamp(0) + %s * interval '1 microsecond'"
    " AND time < to_timestamp(0) + %s * interval '1 microsecond'"
)


def add_up(db: psycopg.Connection, source: str, parameters: tuple[int, ...] = ()) -> None:
    """Add the readings of `source` (a table, or one and a condition) to their rollups."""
    db.execute(_FOLD.format(source=source), parameters)
    db.execute(_ADD.format(rollups=_MINUTES))
    db.execute(_ADD.format(rollups=_HOURS))


class Sealing:
    """The steps of sealing, one transaction each."""

    def __init__(self, unit_readings: int) -> None:
        self.unit_readings = unit_readings

    def step(self, db: psycopg.Connection, before_us: int) -> bool:
        """Seal one span of what is older than `before_us`; True where more is due."""
        from_us = _watermark(db)
        if before_us <= from_us:
            return False
        to_us = self._end(db, from_us, before_us)
        db.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        db.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            db.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        except errors.LockNotAvailable:
            db.execute("ROLLBACK")
            return False
        if _watermark(db) != from_us:  # another hub was faster
            db.execute("ROLLBACK")
            return True
        add_up(db, _SPAN, (from_us, to_us))
        db.execute(
            "UPDATE ingest_linestate SET sealing_series = 0,"
            " sealing_from = to_timestamp(0) + %s * interval '1 microsecond',"
            " sealing_to = to_timestamp(0) + %s * interval '1 microsecond' WHERE id = 1",
            [to_us, to_us],
        )
        db.execute("COMMIT")
        return to_us < before_us

    def _end(self, db: psycopg.Connection, from_us: int, before_us: int) -> int:
        """Where a span that begins at `from_us` and holds at most `unit_readings` may end."""
        to_us = before_us
        while to_us - from_us > 1 and self._holds_more(db, from_us, to_us):
            span_us = (to_us - from_us) // 2
            to_us = from_us + (span_us // MINUTE_US * MINUTE_US or span_us)
        return to_us

    def _holds_more(self, db: psycopg.Connection, from_us: int, to_us: int) -> bool:
        row = db.execute(
            f"SELECT count(*) > %s FROM (SELECT 1 FROM {_SPAN} LIMIT %s) AS few",
            [self.unit_readings, from_us, to_us, self.unit_readings + 1],
        ).fetchone()
        return bool(row and row[0])


def _watermark(db: psycopg.Connection) -> int:
    row = db.execute(
        "SELECT (extract(epoch FROM sealing_from) * 1000000)::bigint FROM ingest_linestate WHERE id = 1"
    ).fetchone()
    assert row is not None, "migrations make the line's state"
    return int(row[0])
