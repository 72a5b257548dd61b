"""Adds readings to their rollups: of a minute first, of an hour from those. SQLite's SQL for it.

Readings to be added stand in a temporary table in the order of its key, so that nothing has to be
sorted to be grouped.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from typing import Final

from ingest.storage import Rows

HOUR_US: Final = 3_600_000_000
MINUTE_US: Final = 60_000_000

# `%` keeps the sign: times before 1970 need the second one.
MINUTE: Final = f"time - ((time % {MINUTE_US}) + {MINUTE_US}) % {MINUTE_US}"
_HOUR: Final = f"f.start - ((f.start % {HOUR_US}) + {HOUR_US}) % {HOUR_US}"

_STAGE: Final = """
CREATE TEMP TABLE IF NOT EXISTS {name} (
    series_id integer NOT NULL, minute integer NOT NULL, time integer NOT NULL, value real NOT NULL,
    PRIMARY KEY (series_id, minute, time)) WITHOUT ROWID
"""
_FOLDED: Final = """
CREATE TEMP TABLE IF NOT EXISTS folded (
    series_id integer NOT NULL, start integer NOT NULL, count integer NOT NULL, sum real NOT NULL,
    min real NOT NULL, max real NOT NULL, first_time integer NOT NULL, last_time integer NOT NULL,
    first real, last real, PRIMARY KEY (series_id, start)) WITHOUT ROWID
"""
_FOLD_MINUTES: Final = """
INSERT INTO folded (series_id, start, count, sum, min, max, first_time, last_time)
SELECT series_id, minute, count(*), sum(value), min(value), max(value), min(time), max(time)
FROM {stage} WHERE series_id > ? AND series_id <= ? GROUP BY series_id, minute
"""
_FOLD_ENDS: Final = """
UPDATE folded SET
    first = (SELECT value FROM {stage} s WHERE s.series_id = folded.series_id
             AND s.minute = folded.start AND s.time = first_time),
    last = (SELECT value FROM {stage} s WHERE s.series_id = folded.series_id
            AND s.minute = folded.start AND s.time = last_time)
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
_EVERY_SERIES: Final = (0, 2**63 - 1)
_CHUNK_ROWS: Final = 1_000


def make_stage(db: sqlite3.Connection, name: str) -> None:
    """Make the temporary table `name`, for readings that are to be added, if it is not there."""
    db.execute(_STAGE.format(name=name))
    db.execute(_FOLDED)


def put(db: sqlite3.Connection, stage: str, rows: Rows) -> None:
    """Put rows into a stage; those that stand there already stay as they are."""
    for start in range(0, len(rows), _CHUNK_ROWS):
        some = rows[start : start + _CHUNK_ROWS]
        minutes = [at_us - at_us % MINUTE_US for at_us in some.times_us]
        columns = zip(some.series_ids, minutes, some.times_us, some.values, strict=True)
        values = ",".join(["(?,?,?,?)"] * len(some))
        db.execute(
            f"INSERT OR IGNORE INTO {stage} (series_id, minute, time, value) VALUES {values}",
            tuple(chain.from_iterable(columns)),
        )


def add_up(db: sqlite3.Connection, stage: str, after: int, through: int) -> None:
    """Add the stage's readings of series (after, through] to their rollups."""
    db.execute("DELETE FROM folded")
    db.execute(_FOLD_MINUTES.format(stage=stage), (after, through))
    db.execute(_FOLD_ENDS.format(stage=stage))
    db.execute(_ADD_MINUTES)
    db.execute(_ADD_HOURS)


def fold_late(db: sqlite3.Connection, rows: Rows) -> None:
    """Add late rows, stored in this transaction for the first time, to their rollups."""
    make_stage(db, "late")
    db.execute("DELETE FROM late")
    put(db, "late", rows)
    add_up(db, "late", *_EVERY_SERIES)
