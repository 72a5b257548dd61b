"""Moves what is old enough from `ingest_recent` (by time) to `ingest_sealed` (by series), and adds
it to its rollups.

    begin a unit ▶ stage it by chunks ▶ seal it by slices ▶ end it ▶ sweep by chunks

A *unit* is a span of time of at most `unit_readings`. It is staged in a temporary table in the
order of its series, so that a page of a series is written once for many readings, and no slice
looks for its rows among the others'. A *slice* is some series of the unit, at most
`slice_readings` (or one series): one transaction that moves its readings, its rollups and the
watermark together. No step takes long enough for an ack to wait 100 ms for it.

A row of `ingest_recent` before the watermark is a leftover, which no query sees, until it is swept.
Readings may come to a unit after it was staged: `note` stages them too. Readings may be erased
from it: the count of such changes (`catalogue`) is looked at within each slice's transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ingest.storage import Reason, Rows, Trouble, Watermark
from ingest.storage.sqlite_rollups import MINUTE, add_up, make_stage, put

_STAGE: Final = "moving"


class Sealing:
    """The steps of sealing on one connection, and the unit in progress as far as it is staged."""

    def __init__(self, slice_readings: int, unit_readings: int) -> None:
        self.slice_readings = slice_readings
        self.unit_readings = unit_readings
        self._staged: Watermark | None = None  # the unit, as it stood when staging began
        self._staged_to_us = 0

    def step(self, db: sqlite3.Connection, before_us: int) -> bool:
        """Do one step of sealing what is older than `before_us`; True where more is due."""
        now = read_watermark(db)
        if now.from_us == now.to_us:
            return self._sweep(db, now.from_us) or self._begin_unit(db, now.from_us, before_us)
        if not self._is_staging(now):
            self._begin_staging(db, now)
        if self._staged_to_us < now.to_us:
            self._stage_more(db, now)
            return True
        through = self._slice_end(db, now.series_id)
        if through is None:
            self._end_unit(db, now)
        else:
            self._seal_slice(db, now, through)
        return True

    def note(self, db: sqlite3.Connection, rows: Rows) -> None:
        """Rows were stored in `ingest_recent`, in the open transaction, for the first time."""
        unit = self._staged
        if unit is None or min(rows.times_us) >= unit.to_us:
            return
        ahead = {i for i, at_us in enumerate(rows.times_us) if at_us >= unit.to_us}
        put(db, _STAGE, rows.without(ahead))

    def forget(self) -> None:
        """The connection is gone, and what was staged with it."""
        self._staged = None

    def _is_staging(self, now: Watermark) -> bool:
        unit = self._staged
        return unit is not None and (unit.from_us, unit.to_us, unit.catalogue) == (
            now.from_us,
            now.to_us,
            now.catalogue,
        )

    def _begin_unit(self, db: sqlite3.Connection, from_us: int, before_us: int) -> bool:
        """Choose the next unit. The watermark's time passes on even where nothing is stored."""
        if before_us <= from_us:
            return False
        end_us = _time_after(db, from_us, self.unit_readings)
        to_us = before_us if end_us is None or end_us >= before_us else end_us
        empty = not db.execute(
            "SELECT 1 FROM ingest_recent WHERE time >= ? AND time < ? LIMIT 1", (from_us, to_us)
        ).fetchone()
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "UPDATE ingest_linestate SET sealing_from = ?, sealing_to = ?, sealing_series = 0"
                " WHERE id = 1",
                (to_us if empty else from_us, to_us),
            )
        return not empty or to_us < before_us

    def _begin_staging(self, db: sqlite3.Connection, now: Watermark) -> None:
        make_stage(db, _STAGE)
        db.execute(f"DELETE FROM {_STAGE}")
        self._staged = now
        self._staged_to_us = now.from_us

    def _stage_more(self, db: sqlite3.Connection, now: Watermark) -> None:
        """Stage the next chunk, in time's order, of the series that are not sealed."""
        end_us = _time_after(db, self._staged_to_us, self.slice_readings)
        end_us = now.to_us if end_us is None else min(end_us, now.to_us)
        db.execute(
            f"INSERT OR IGNORE INTO {_STAGE} (series_id, minute, time, value)"
            f" SELECT series_id, {MINUTE}, time, value FROM ingest_recent"
            " WHERE time >= ? AND time < ? AND series_id > ? ORDER BY series_id, time",
            (self._staged_to_us, end_us, now.series_id),
        )
        self._staged_to_us = end_us

    def _slice_end(self, db: sqlite3.Connection, after: int) -> int | None:
        """The last series of the slice that begins after `after`; None where nothing is left."""
        row = db.execute(
            f"SELECT max(series_id) FROM (SELECT series_id FROM {_STAGE} WHERE series_id > ?"
            " ORDER BY series_id, minute, time LIMIT ?)",
            (after, self.slice_readings),
        ).fetchone()
        return None if row is None else row[0]

    def _seal_slice(self, db: sqlite3.Connection, planned: Watermark, through: int) -> None:
        """Move the readings of the slice's series, and the watermark, in one transaction."""
        with db:
            db.execute("BEGIN IMMEDIATE")
            now = read_watermark(db)
            if now != planned:  # something was erased meanwhile: stage again
                return
            db.execute(
                "INSERT INTO ingest_sealed (series_id, time, value)"
                f" SELECT series_id, time, value FROM {_STAGE}"
                " WHERE series_id > ? AND series_id <= ? ORDER BY series_id, minute, time",
                (now.series_id, through),
            )
            add_up(db, _STAGE, now.series_id, through)
            db.execute("UPDATE ingest_linestate SET sealing_series = ? WHERE id = 1", (through,))

    def _end_unit(self, db: sqlite3.Connection, planned: Watermark) -> None:
        """Every series of the unit is sealed: the watermark's time passes on to its end."""
        with db:
            db.execute("BEGIN IMMEDIATE")
            if read_watermark(db) != planned:
                return
            db.execute(
                "UPDATE ingest_linestate SET sealing_from = sealing_to, sealing_series = 0"
                " WHERE id = 1"
            )
        self._staged = None
        db.execute(f"DELETE FROM {_STAGE}")

    def _sweep(self, db: sqlite3.Connection, before_us: int) -> bool:
        """Delete a chunk of leftovers, the oldest first; False where there are none."""
        oldest = db.execute(
            "SELECT time FROM ingest_recent WHERE time < ? ORDER BY time LIMIT 1", (before_us,)
        ).fetchone()
        if oldest is None:
            return False
        end_us = _time_after(db, oldest[0], self.slice_readings)
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "DELETE FROM ingest_recent WHERE time < ?",
                (before_us if end_us is None else min(end_us, before_us),),
            )
        return True


def read_watermark(db: sqlite3.Connection) -> Watermark:
    row = db.execute(
        "SELECT sealing_from, sealing_to, sealing_series, catalogue, horizon FROM ingest_linestate"
        " WHERE id = 1"
    ).fetchone()
    if row is None:
        raise Trouble("there is no line state: run `manage.py migrate`", Reason.SCHEMA)
    return Watermark(*row)


def _time_after(db: sqlite3.Connection, from_us: int, readings: int) -> int | None:
    """A time with at most `readings` from `from_us` to before it, if more than that are there.

    Where so many have one and the same time, it is the next microsecond.
    """
    row = db.execute(
        "SELECT time FROM ingest_recent WHERE time >= ? ORDER BY time LIMIT 1 OFFSET ?",
        (from_us, readings),
    ).fetchone()
    return None if row is None else max(row[0], from_us + 1)
