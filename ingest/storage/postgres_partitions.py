"""Makes the partitions of readings ahead of time: a week each, this one and the next.

What lies outside of them, the past of before the hub and the far future, is in the default
partition. A week that the default partition has readings of already stays there.
"""

from __future__ import annotations

from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Final

import psycopg
from psycopg import errors, sql

TABLES: Final = ("ingest_reading", "ingest_textreading")
WEEKS_AHEAD: Final = 2
# Hubs that start together make them one after the other.
_PARTITION_LOCK: Final = 0x57454953


def make_ahead(db: psycopg.Connection, now: datetime) -> int:
    """Make what is missing, and say when to look again, in µs. `db` is in no transaction."""
    if now.year == MAXYEAR:  # the calendar has no week after the last
        return 2**63 - 1
    monday = datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=now.weekday())
    for week in range(WEEKS_AHEAD):
        for table in TABLES:
            _make(db, table, monday + timedelta(weeks=week))
    return round((monday + timedelta(weeks=1)).timestamp()) * 1_000_000


def _make(db: psycopg.Connection, table: str, start: datetime) -> None:
    name = f"{table}_{start:%Y%m%d}"
    if db.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
        return
    try:
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITION_LOCK])
            db.execute(
                sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})"
                ).format(
                    sql.Identifier(name),
                    sql.Identifier(table),
                    sql.Literal(start.isoformat()),
                    sql.Literal((start + timedelta(weeks=1)).isoformat()),
                )
            )
    except errors.CheckViolation:
        pass  # the default partition has readings of this week
