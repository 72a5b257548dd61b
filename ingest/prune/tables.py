"""On PostgreSQL: drops the tables of weeks of which nobody keeps anything.

A table that is dropped gives its space back at once, and leaves nothing to be cleaned up. So what
would be the last of its week to go is not deleted row by row, but stays until all of it may go.
"""

from __future__ import annotations

from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from ingest.models import LineState
from ingest.prune.forms import Form
from ingest.prune.turn import a_turn
from ingest.storage.postgres_partitions import ALONE, Partition, partitions

# Of each series of a form, from when on it keeps: the first year where it was never pruned.
_KEPT: Final = """
    SELECT s.id, coalesce(h.kept_from, '0001-01-01 00:00:00+00') AS since
    FROM devices_series s LEFT JOIN ingest_horizon h ON h.series_id = s.id AND h.step_s = 0
    WHERE {whose}
"""


def old_weeks(form: Form) -> list[Partition]:
    """The tables of the form's weeks that are over for some series; none on SQLite."""
    horizon = LineState.objects.values_list("horizon", flat=True).get(pk=1)
    return [week for week in _weeks(form) if week.end <= horizon]


def last_to_go(form: Form) -> Partition | None:
    """The week that the earliest horizon of all series is in: it goes with its table."""
    weeks = _weeks(form)
    if not weeks:
        return None
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT min(since) FROM ({_KEPT.format(whose=form.whose)}) AS kept")
        [earliest] = cursor.fetchone()
    holding = (week for week in weeks if earliest and week.start <= earliest < week.end)
    return next(holding, None)


def drop_week(form: Form, week: Partition) -> bool:
    """Drop its table, if every series keeps from its end on at most, or has nothing in it.

    Looked at before, and again while no batch is under way: a series that is new may have begun in
    it meanwhile.
    """
    with connection.cursor() as cursor:
        if _is_wanted(cursor, form, week):
            return False
    with a_turn() as cursor:
        for lock in ALONE:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        if _is_wanted(cursor, form, week):
            return False
        cursor.execute(f"DROP TABLE {connection.ops.quote_name(week.name)}")
        if form.of_texts:  # a text that is gone is no latest value any more
            cursor.execute("UPDATE ingest_linestate SET catalogue = catalogue + 1 WHERE id = 1")
    return True


def _weeks(form: Form) -> list[Partition]:
    """Those of the form, the oldest first; none but on PostgreSQL."""
    if connection.vendor != "postgresql":
        return []
    connection.ensure_connection()
    return [week for week in partitions(connection.connection) if week.table == form.table]


def _is_wanted(cursor: CursorWrapper, form: Form, week: Partition) -> bool:
    """Whether some series keeps something in it; also where another prune was faster."""
    name = connection.ops.quote_name(week.name)
    cursor.execute("SELECT to_regclass(%s) IS NULL", [name])
    if cursor.fetchone() == (True,):
        return True
    cursor.execute(
        f"SELECT 1 FROM ({_KEPT.format(whose=form.whose)}) AS kept WHERE since < %s AND EXISTS"
        f" (SELECT 1 FROM {name} WHERE series_id = kept.id) LIMIT 1",
        [week.end],
    )
    return cursor.fetchone() is not None
