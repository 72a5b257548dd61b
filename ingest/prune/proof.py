"""Whether readings are in their rollups: what is not, must not be deleted.

Each minute and hour that the readings make is looked for among the rollups, and held against it:
count, least, greatest, the times of the first and the last exactly, the sum but for the order of
addition. One statement, which sees one state; it takes no lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from django.db import connection

from ingest.prune.asked import ASKED, column_values, parameters
from ingest.prune.dues import Due
from ingest.prune.slices import HOURS_AT_ONCE
from ingest.stored import microseconds

# Of the sum of magnitudes. Wide: whether a rollup was made of these readings is asked, not how its
# additions were rounded.
_SUM_TOLERANCE: Final = 1e-9
_MINUTES: Final = {
    "sqlite": """
        SELECT r.series_id, r.time - ((r.time %% 60000000) + 60000000) %% 60000000 AS start,
               count(*) AS n, sum(r.value) AS total, sum(abs(r.value)) AS size,
               min(r.value) AS low, max(r.value) AS high, min(r.time) AS since, max(r.time) AS until
        FROM asked a CROSS JOIN ingest_sealed r
          ON r.series_id = a.id AND r.time >= a.since AND r.time < a.until
        GROUP BY 1, 2""",
    # As history's: one look into the key for each series, in the partitions that can have rows.
    "postgresql": """
        SELECT a.id AS series_id, r.* FROM asked a CROSS JOIN LATERAL (
            SELECT date_bin('1 minute', time, '1970-01-01 00:00:00+00') AS start,
                   count(*) AS n, sum(value) AS total, sum(abs(value)) AS size,
                   min(value) AS low, max(value) AS high, min(time) AS since, max(time) AS until
            FROM ingest_reading WHERE series_id = a.id AND time >= a.since AND time < a.until
            GROUP BY 1) r""",
}
_HOUR: Final = {
    "sqlite": "start - ((start %% 3600000000) + 3600000000) %% 3600000000",
    "postgresql": "date_bin('1 hour', start, '1970-01-01 00:00:00+00')",
}
_UNFOUNDED: Final = """
    WITH {asked}, minutes AS MATERIALIZED ({minutes}), made AS (
        SELECT series_id, 60 AS step_s, start, n, total, size, low, high, since, until FROM minutes
        UNION ALL
        SELECT series_id, 3600, {hour}, sum(n), sum(total), sum(size), min(low), max(high),
               min(since), max(until)
        FROM minutes GROUP BY 1, 3)
    SELECT m.series_id, {start}, count(*)
    FROM made m LEFT JOIN ingest_rollup r
      ON r.series_id = m.series_id AND r.step_s = m.step_s AND r.start = m.start
    WHERE r.count IS NULL OR r.count <> m.n OR r.min <> m.low OR r.max <> m.high
       OR r.first_time <> m.since OR r.last_time <> m.until
       OR abs(r.sum - m.total) > {tolerance} * m.size
    GROUP BY 1"""


class Refused(NamedTuple):
    """A series with readings that are not in `rollups` of its minutes and hours, from then on."""

    series_id: int
    since_us: int
    rollups: int


def unfounded(dues: Sequence[Due]) -> list[Refused]:
    """The series whose readings within the dues are not all in their rollups."""
    vendor = connection.vendor
    statement = _UNFOUNDED.format(
        asked=ASKED[vendor],
        minutes=_MINUTES[vendor],
        hour=_HOUR[vendor],
        start=microseconds("min(m.start)"),
        tolerance=_SUM_TOLERANCE,
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters(dues))
        return [Refused(*row) for row in cursor.fetchall()]


def hours_of(due: Due) -> list[tuple[int, int]]:
    """Where the readings of one series are, by its rollups: see `slices`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {microseconds('start')}, count FROM ingest_rollup"
            " WHERE series_id = %s AND step_s = 3600 AND start >= %s AND start < %s"
            f" ORDER BY start LIMIT {HOURS_AT_ONCE}",
            [due.series_id, *column_values(due.from_us, due.to_us)],
        )
        rows: list[tuple[int, int]] = cursor.fetchall()
    return rows
