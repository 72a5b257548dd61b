"""Deletes what lies before its horizon, some at a time.

How far it has come stands beside the horizon and moves in the same transaction, so that nothing is
looked for twice.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from ingest.prune.forms import HOURS, TEXTS, Form
from ingest.prune.turn import a_turn
from ingest.storage.postgres_partitions import Partition

# What an ack may wait for: the lock of SQLite is held for so long. A row of a table that is in the
# cache takes 1 µs to delete, one that is not has its page read first.
TURN_S: Final = 0.01
ROWS_AT_ONCE: Final = 1_000  # of one series, before the time is looked at again
SERIES_AT_ONCE: Final = 200

Moment = int | datetime  # as the column has it


def sweep_some(form: Form, spared: Partition | None, after: int) -> tuple[int, int | None]:
    """One transaction's worth, of series after the id `after`: how many rows went, and after which
    id there may be more to go; None, nowhere.

    A horizon within the week that is `spared` counts as the beginning of it. Series that are done
    are not looked at again in each turn; only when the last was reached, all are once more, as
    another prune may have ended in the middle of some.
    """
    until_s = time.perf_counter() + TURN_S
    swept = 0
    with a_turn() as cursor:
        waiting = _waiting(cursor, form, spared, after)
        if not waiting:
            return 0, 0 if after else None
        for series_id, start, end in waiting:
            rows, done = _sweep(cursor, form, series_id, start, end)
            swept += rows
            after = series_id if done else series_id - 1
            if time.perf_counter() > until_s:
                break
    return swept, after


def _waiting(
    cursor: CursorWrapper, form: Form, spared: Partition | None, after: int
) -> list[tuple[int, Moment, Moment]]:
    """Series with something before their horizon: from when, up to when, as the column has it."""
    mine = " FOR UPDATE OF h SKIP LOCKED" if connection.vendor == "postgresql" else ""
    end, week = "h.kept_from", []
    if spared is not None:
        end = f"(CASE WHEN {end} >= %s AND {end} < %s THEN %s ELSE {end} END)"
        week = [spared.start, spared.end, spared.start]
    cursor.execute(
        f"SELECT h.series_id, h.swept_to, {end}"
        " FROM ingest_horizon h JOIN devices_series s ON s.id = h.series_id"
        f" WHERE h.series_id > %s AND h.step_s = {form.step_s} AND h.swept_to < {end}"
        f" AND {form.whose}"
        f" ORDER BY h.series_id LIMIT {SERIES_AT_ONCE}{mine}",
        [*week, after, *week],
    )
    rows: list[tuple[int, Moment, Moment]] = cursor.fetchall()
    return rows


def _sweep(
    cursor: CursorWrapper, form: Form, series_id: int, start: Moment, end: Moment
) -> tuple[int, bool]:
    """Delete the first rows of one series; how many they were, and whether they were all."""
    span = f"series_id = %s{form.which} AND {form.time} >= %s AND {form.time} < %s"
    cursor.execute(
        f"SELECT {form.time} FROM {form.table} WHERE {span}"
        f" ORDER BY {form.time} LIMIT 1 OFFSET {ROWS_AT_ONCE}",
        [series_id, start, end],
    )
    cut = cursor.fetchone()
    stop = cut[0] if cut else end
    cursor.execute(f"DELETE FROM {form.table} WHERE {span}", [series_id, start, stop])
    deleted: int = cursor.rowcount
    cursor.execute(
        f"UPDATE ingest_horizon SET swept_to = %s WHERE series_id = %s AND step_s = {form.step_s}",
        [stop, series_id],
    )
    if deleted and not cut and form in (TEXTS, HOURS):
        _tell_boards(cursor, form, series_id)
    return deleted, not cut


def _tell_boards(cursor: CursorWrapper, form: Form, series_id: int) -> None:
    """Where nothing is left of a series that its latest value could be read from, it has none."""
    cursor.execute(
        "UPDATE ingest_linestate SET catalogue = catalogue + 1 WHERE id = 1 AND NOT EXISTS"
        f" (SELECT 1 FROM {form.table} WHERE series_id = %s{form.which})",
        [series_id],
    )
