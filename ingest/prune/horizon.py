"""Moves horizons: what lies before them is refused from then on, by every writer.

In a transaction while no batch is under way. A batch reads `LineState.horizon` after it took its
lock, and looks up the horizon of a series where a reading lies before that.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from ingest.prune.asked import ASKED, column_values, parameters
from ingest.prune.dues import Due
from ingest.prune.forms import Form
from ingest.prune.turn import a_turn
from ingest.reading import EARLIEST_US
from ingest.storage.postgres_sealing import ADVISORY_LOCK


def move(form: Form, dues: Sequence[Due]) -> None:
    """Each of the dues' series is kept from its end on, of this form. Raises Busy.

    A series that was deleted meanwhile gets no horizon: its id may be another's one day.
    """
    sqlite = connection.vendor == "sqlite"
    earliest, latest = column_values(EARLIEST_US, max(due.to_us for due in dues))
    greatest = "max" if sqlite else "greatest"
    with a_turn() as cursor:
        if not sqlite:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        cursor.execute(
            f"WITH {ASKED[connection.vendor]}"
            " INSERT INTO ingest_horizon (series_id, step_s, kept_from, swept_to)"
            f" SELECT s.id, {form.step_s}, a.until, %s FROM asked a"
            " JOIN devices_series s ON s.id = a.id WHERE true"
            " ON CONFLICT (series_id, step_s) DO UPDATE SET"
            f" kept_from = {greatest}(ingest_horizon.kept_from, excluded.kept_from)",
            [*parameters(dues), earliest],
        )
        if not form.step_s:
            cursor.execute(
                f"UPDATE ingest_linestate SET horizon = {greatest}(horizon, %s) WHERE id = 1",
                [latest],
            )


def count_horizons() -> None:
    """Tell PostgreSQL how many there are, who takes them for few until it has looked by itself.

    It would read and sort all that wait, for each turn of the sweep.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE ingest_horizon")
