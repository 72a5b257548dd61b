"""Makes rollups of what is old enough, and corrects them by what came late.

The readings stay where they are; sealing only reads them, and moves the watermark, in one
transaction under the exclusive advisory lock. As in SQLite it goes through a unit of time by slices
of series, each small enough that no ack waits long for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
from psycopg import errors

# Writers share it from the watermark to the commit; sealing and erasing take it for themselves.
ADVISORY_LOCK: Final = 0x57454952
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Writers that come while sealing waits for its lock wait behind it, so it does not wait long.
LOCK_TIMEOUT: Final = "100ms"

# First and last by the least and greatest [seconds into the minute, value], in one pass: a join
# back to the readings has no statistics to go by, and its nested loop held every ack for 20 s.
_FOLD: Final = """
SELECT series_id, start, count(*), sum(value), min(value), max(value),
       (min(ARRAY[date_part('epoch', time - start), value]))[2], min(time),
       (max(ARRAY[date_part('epoch', time - start), value]))[2], max(time)
FROM (SELECT series_id, time, value, date_bin('1 minute', time, '1970-01-01 00:00:00+00') AS start
      FROM {source}) AS minutes
GROUP BY series_id, start
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
MOVING: Final = _FOLD.format(source="moving")
# One look into the key for each series. Folded inside, it cannot be made a join that reads the
# whole partition; BRIN is no help, the newest pages are not summarised yet. A limit would do that
# too, but no Citus runs it: https://github.com/citusdata/citus/pull/5753
_SLICE: Final = f"""
SELECT f.* FROM (SELECT id FROM devices_series WHERE id > %s AND id <= %s) AS s
CROSS JOIN LATERAL ({
    _FOLD.format(source="ingest_reading WHERE series_id = s.id AND time >= %s AND time < %s")
}) AS f
"""
_SERIES_AT_FIRST: Final = 100
_MOST_SERIES: Final = 10_000  # of one slice, however few readings they have


def add_up(db: psycopg.Connection, minutes: str, parameters: Sequence[object] = ()) -> int:
    """Add `minutes`, a query of what readings come to, to the rollups; how many readings it was."""
    db.execute(f"INSERT INTO folded {minutes}", parameters)
    db.execute(_ADD.format(rollups=_MINUTES))
    db.execute(_ADD.format(rollups=_HOURS))
    row = db.execute("SELECT coalesce(sum(count), 0)::bigint FROM folded").fetchone()
    return int(row[0]) if row else 0


class Sealing:
    """The steps of sealing, one transaction each."""

    def __init__(self, slice_readings: int) -> None:
        self.slice_readings = slice_readings
        # Of the next slice; follows what a slice turns out to hold.
        self._series = min(_SERIES_AT_FIRST, slice_readings)

    def step(self, db: psycopg.Connection, before_us: int) -> bool:
        """Seal one slice of what is older than `before_us`; True where more is due."""
        before = EPOCH + timedelta(microseconds=before_us)
        start, end, _ = _watermark(db)
        if start == end and before <= start:
            return False
        db.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        db.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            db.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        except errors.LockNotAvailable:
            db.execute("ROLLBACK")
            return False
        more = self._step(db, before)
        db.execute("COMMIT")
        return more

    def _step(self, db: psycopg.Connection, before: datetime) -> bool:
        """Under the lock: begin a unit, seal a slice of it, or end it; other hubs do the same."""
        start, end, after = _watermark(db)
        if start == end:
            if before <= start:
                return False
            end, after = before, 0
        through = self._through(db, after)
        if through is None:
            _move(db, end, end, 0)
            return end < before
        readings = add_up(db, _SLICE, (after, through, start, end))
        if readings > self.slice_readings:
            self._series = max(1, self._series // 2)
        elif readings < self.slice_readings // 4:
            self._series = min(_MOST_SERIES, self._series * 2)
        _move(db, start, end, through)
        return True

    def _through(self, db: psycopg.Connection, after: int) -> int | None:
        """The last series of the slice that begins after `after`; None where there is none."""
        row = db.execute(
            "SELECT max(id) FROM"
            " (SELECT id FROM devices_series WHERE id > %s ORDER BY id LIMIT %s) AS slice",
            [after, self._series],
        ).fetchone()
        return row[0] if row else None


def _watermark(db: psycopg.Connection) -> tuple[datetime, datetime, int]:
    row = db.execute(
        "SELECT sealing_from, sealing_to, sealing_series FROM ingest_linestate WHERE id = 1"
    ).fetchone()
    assert row is not None, "migrations make the line's state"
    return row[0], row[1], row[2]


def _move(db: psycopg.Connection, start: datetime, end: datetime, series_id: int) -> None:
    db.execute(
        "UPDATE ingest_linestate SET sealing_from = %s, sealing_to = %s, sealing_series = %s"
        " WHERE id = 1",
        [start, end, series_id],
    )
