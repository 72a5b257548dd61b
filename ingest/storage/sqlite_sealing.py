"""Moves what is old enough from `ingest_recent` (by time) to `ingest_sealed` (by series), and makes
or corrects its rollups.

It goes by *units*, a span of time of at most `unit_readings`, and within a unit by *slices* of
series of at most `slice_readings`, each one transaction that moves the watermark with it: short
enough that no ack waits long for one, and long enough that a page of a series is written once for
many readings. A row of `ingest_recent` before the watermark is a leftover; no query sees it, and
the unit's last step deletes it. Measured in `docs/decisions/sealing.md`.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Final

from ingest.storage import Rows

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 3_600_000_000

_TEMPORARY: Final = """
CREATE TEMP TABLE IF NOT EXISTS moving (
    series_id integer NOT NULL, time integer NOT NULL, value real NOT NULL,
    PRIMARY KEY (series_id, time)) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS folded (
    series_id integer NOT NULL, start integer NOT NULL, count integer NOT NULL, sum real NOT NULL,
    min real NOT NULL, max real NOT NULL, first_time integer NOT NULL, last_time integer NOT NULL,
    first real, last real, PRIMARY KEY (series_id, start)) WITHOUT ROWID;
DELETE FROM moving;
DELETE FROM folded;
"""
# `%` keeps the sign: times before 1970 need the second one.
_MINUTE: Final = f"m.time - ((m.time % {MINUTE_US}) + {MINUTE_US}) % {MINUTE_US}"
_HOUR: Final = f"f.start - ((f.start % {HOUR_US}) + {HOUR_US}) % {HOUR_US}"
_FOLD_MINUTES: Final = f"""
INSERT INTO folded (series_id, start, count, sum, min, max, first_time, last_time)
SELECT m.series_id, {_MINUTE}, count(*), sum(m.value), min(m.value), max(m.value),
       min(m.time), max(m.time)
FROM moving m GROUP BY 1, 2
"""
_FOLD_ENDS: Final = """
UPDATE folded SET
    first = (SELECT value FROM moving m
             WHERE m.series_id = folded.series_id AND m.time = first_time),
    last = (SELECT value FROM moving m
            WHERE m.series_id = folded.series_id AND m.time = last_time)
"""
# Additions, never read-modify-write: late readings meet their rollups by the same statement.
_ADD: Final = """
ON CONFLICT (series_id, step_s, start) DO UPDATE SET
    count = count + excluded.count, sum = sum + excluded.sum,
    min = min(min, excluded.min), max = max(max, excluded.max),
    first = CASE WHEN excluded.first_time < first_time THEN excluded.first ELSE first END,
    first_time = min(first_time, excluded.first_time),
    last = CASE WHEN excluded.last_time > last_time THEN excluded.last ELSE last END,
    last_time = max(last_time, excluded.last_time)
"""
_COLUMNS: Final = (
    "(series_id, step_s, start, count, sum, min, max, first, first_time, last, last_time)"
)
_ADD_MINUTES: Final = f"""
INSERT INTO ingest_rollup {_COLUMNS}
SELECT series_id, 60, start, count, sum, min, max, first, first_time, last, last_time
FROM folded WHERE true {_ADD}
"""
_ADD_HOURS: Final = f"""
INSERT INTO ingest_rollup {_COLUMNS}
SELECT h.series_id, 3600, h.start, h.count, h.sum, h.min, h.max,
    (SELECT first FROM folded f WHERE f.series_id = h.series_id AND f.start = h.first_minute),
    h.first_time,
    (SELECT last FROM folded f WHERE f.series_id = h.series_id AND f.start = h.last_minute),
    h.last_time
FROM (SELECT f.series_id, {_HOUR} AS start, sum(f.count) AS count, sum(f.sum) AS sum,
             min(f.min) AS min, max(f.max) AS max, min(f.first_time) AS first_time,
             max(f.last_time) AS last_time, min(f.start) AS first_minute,
             max(f.start) AS last_minute
      FROM folded f GROUP BY 1, 2) h
WHERE true {_ADD}
"""


def fold(db: sqlite3.Connection, rows: Rows) -> None:
    """Add late rows, stored in this transaction for the first time, to their rollups."""
    _prepare(db)
    for start in range(0, len(rows), 1_000):
        some = rows[start : start + 1_000]
        values = ",".join(["(?,?,?)"] * len(some))
        db.execute(
            f"INSERT INTO moving (time, series_id, value) VALUES {values}",
            tuple(chain.from_iterable(some)),
        )
    _add_up(db)


def _prepare(db: sqlite3.Connection) -> None:
    for statement in _TEMPORARY.split(";"):
        db.execute(statement)


def _add_up(db: sqlite3.Connection) -> None:
    """`moving` → rollups of a minute → rollups of an hour."""
    for statement in (_FOLD_MINUTES, _FOLD_ENDS, _ADD_MINUTES, _ADD_HOURS):
        db.execute(statement)


class Sealing:
    """The steps of sealing, one transaction each, and the plan of the unit in progress."""

    def __init__(self, slice_readings: int, unit_readings: int) -> None:
        self.slice_readings = slice_readings
        self.unit_readings = unit_readings
        self._slices: list[int] | None = None  # last series of each slice still to be sealed

    def step(self, db: sqlite3.Connection, before_us: int) -> bool:
        """Seal one slice of what is older than `before_us`; True where more is due."""
        from_us, to_us, series_id = db.execute(
            "SELECT sealing_from, sealing_to, sealing_series FROM ingest_linestate WHERE id = 1"
        ).fetchone()
        if from_us == to_us:
            return self._begin_unit(db, from_us, before_us)
        if self._slices is None:  # the unit was begun before a restart
            self._slices = self._plan(db, from_us, to_us, series_id)
        if not self._slices:
            return self._end_unit(db, to_us, before_us)
        self._seal_slice(db, from_us, to_us, series_id, self._slices[0])
        del self._slices[0]
        return True

    def _begin_unit(self, db: sqlite3.Connection, from_us: int, before_us: int) -> bool:
        """Choose the next unit. The watermark's time passes on even where nothing is stored."""
        if before_us <= from_us:
            return False
        row = db.execute(
            "SELECT time FROM ingest_recent WHERE time >= ? ORDER BY time LIMIT 1 OFFSET ?",
            (from_us, self.unit_readings),
        ).fetchone()
        to_us = before_us if row is None or row[0] >= before_us else max(row[0], from_us + 1)
        empty = not db.execute(
            "SELECT 1 FROM ingest_recent WHERE time >= ? AND time < ? LIMIT 1", (from_us, to_us)
        ).fetchone()
        # Readings may have come between that look and this lock only through this connection.
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "UPDATE ingest_linestate SET sealing_from = ?, sealing_to = ?, sealing_series = 0"
                " WHERE id = 1",
                (to_us if empty else from_us, to_us),
            )
        self._slices = None
        return not empty

    def _plan(self, db: sqlite3.Connection, from_us: int, to_us: int, series_id: int) -> list[int]:
        """Cut the unit's series into slices; each is named by its last series."""
        slices: list[int] = []
        readings = self.slice_readings
        for series, count in db.execute(
            "SELECT series_id, count(*) FROM ingest_recent"
            " WHERE time >= ? AND time < ? AND series_id > ? GROUP BY 1 ORDER BY 1",
            (from_us, to_us, series_id),
        ):
            if readings + count > self.slice_readings:
                slices.append(series)
                readings = count
            else:
                slices[-1] = series
                readings += count
        return slices

    def _seal_slice(
        self, db: sqlite3.Connection, from_us: int, to_us: int, after: int, through: int
    ) -> None:
        """Move the readings of series (after, through] and the watermark, in one transaction."""
        with db:
            db.execute("BEGIN IMMEDIATE")
            _prepare(db)
            db.execute(
                "INSERT INTO moving SELECT series_id, time, value FROM ingest_recent"
                " WHERE time >= ? AND time < ? AND series_id > ? AND series_id <= ?"
                " ORDER BY series_id, time",
                (from_us, to_us, after, through),
            )
            db.execute(
                "INSERT INTO ingest_sealed (series_id, time, value)"
                " SELECT series_id, time, value FROM moving ORDER BY series_id, time"
            )
            _add_up(db)
            db.execute("UPDATE ingest_linestate SET sealing_series = ? WHERE id = 1", (through,))

    def _end_unit(self, db: sqlite3.Connection, to_us: int, before_us: int) -> bool:
        """The unit is sealed: what is left of it in `ingest_recent` goes.

        A series that came to the unit after it was planned has a number beyond the last slice's.
        """
        with db:
            db.execute("BEGIN IMMEDIATE")
            straggler = db.execute(
                "SELECT 1 FROM ingest_recent r, ingest_linestate s WHERE s.id = 1"
                " AND r.time >= s.sealing_from AND r.time < s.sealing_to"
                " AND r.series_id > s.sealing_series LIMIT 1"
            ).fetchone()
            if straggler:
                self._slices = None
                return True
            db.execute(
                "UPDATE ingest_linestate SET sealing_from = sealing_to, sealing_series = 0"
                " WHERE id = 1"
            )
            db.execute("DELETE FROM ingest_recent WHERE time < ?", (to_us,))
        self._slices = None
        return to_us < before_us
