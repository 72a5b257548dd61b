"""The partitions of readings: a table for each week, made ahead of time, and listed.

What lies outside of them, the past of before the hub and the far future, is in the default
partition; `postgres_resettling` gives its weeks tables of their own. A table that is not
partitioned by PostgreSQL itself (a hypertable of TimescaleDB) is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Final

import psycopg
from psycopg import errors, sql

from ingest.storage.postgres_sealing import ADVISORY_LOCK

TABLES: Final = ("ingest_reading", "ingest_textreading")
WEEK: Final = timedelta(weeks=1)
# What comes days late to a hub that is new has a table too.
WEEKS_BEHIND: Final = 1
WEEKS_AHEAD: Final = 2
# A hub that cannot have a table's lock goes on, and tries again; until then readings of that week
# are in the default partition.
AGAIN: Final = timedelta(minutes=1)
# Who changes what partitions there are does it alone; who takes readings away with one, while no
# batch is under way as well, and takes the two in this order.
PARTITION_LOCK: Final = 0x57454953
ALONE: Final = (PARTITION_LOCK, ADVISORY_LOCK)
LOCK_TIMEOUT: Final = "500ms"  # writers and readers that come meanwhile wait behind it

_PARTITIONED: Final = """
SELECT 1 FROM pg_class WHERE oid = to_regclass(%s) AND relkind = 'p'
"""
# PostgreSQL's own words for the bounds; their times are in the session's zone, and say which.
_RANGES: Final = """
SELECT p.relname, c.relname, (b.bounds[1])::timestamptz, (b.bounds[2])::timestamptz
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
CROSS JOIN LATERAL (SELECT regexp_match(
    pg_get_expr(c.relpartbound, c.oid), $$FROM \\('(.*)'\\) TO \\('(.*)'\\)$$) AS bounds) AS b
WHERE i.inhparent = ANY(%s::regclass[]) AND b.bounds IS NOT NULL ORDER BY 3, 2
"""


@dataclass(frozen=True, slots=True)
class Partition:
    """A table with the readings of `table` at or after `start` and before `end`."""

    table: str
    name: str
    start: datetime
    end: datetime


def make_ahead(db: psycopg.Connection, now: datetime) -> int:
    """Make what is missing, and say when to look again, in µs. `db` is in no transaction.

    A week that the default partition has readings of already stays there.
    """
    if not MINYEAR < now.year < MAXYEAR:  # the calendar has no week after the last
        return 2**63 - 1
    this, made = monday(now), True
    for table in TABLES:
        if is_partitioned(db, table):
            for week in range(-WEEKS_BEHIND, WEEKS_AHEAD):
                made &= _make(db, table, this + week * WEEK)
    again = this + WEEK if made else now + AGAIN
    return round(again.timestamp()) * 1_000_000


def is_partitioned(db: psycopg.Connection, table: str) -> bool:
    """Whether PostgreSQL itself keeps `table` in partitions."""
    return db.execute(_PARTITIONED, [table]).fetchone() is not None


def partitions(db: psycopg.Connection) -> list[Partition]:
    """All of both tables but the default ones, the oldest first."""
    there = [table for table in TABLES if is_partitioned(db, table)]
    return [Partition(*row) for row in db.execute(_RANGES, [there])]


def monday(moment: datetime) -> datetime:
    """When the week of `moment` begins."""
    day = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return day - timedelta(days=day.weekday())


def name_of(table: str, start: datetime) -> str:
    """What the table of the week that begins at `start` is called."""
    return f"{table}_{start.year:04}{start:%m%d}"


def bounds_of(start: datetime) -> Iterator[sql.Literal]:
    """When the week begins, and when the next one does."""
    return (sql.Literal(moment.isoformat()) for moment in (start, start + WEEK))


def _make(db: psycopg.Connection, table: str, start: datetime) -> bool:
    """False where a lock was not to be had.

    Made beside and then attached: to make it in its place would lock out all who read or write.
    """
    name = name_of(table, start)
    if db.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,):
        return True
    parts = {"new": sql.Identifier(name), "table": sql.Identifier(table)}
    first, last = bounds_of(start)
    try:
        with db.transaction():
            db.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            db.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
            db.execute(
                sql.SQL(
                    "CREATE TABLE {new} (LIKE {table} INCLUDING INDEXES INCLUDING CONSTRAINTS)"
                ).format(**parts)
            )
            db.execute(
                sql.SQL(
                    "ALTER TABLE {table} ATTACH PARTITION {new} FOR VALUES FROM ({}) TO ({})"
                ).format(first, last, **parts)
            )
    except (errors.CheckViolation, errors.DuplicateTable, errors.InvalidObjectDefinition):
        # The default partition has readings of this week; another hub was first, which one that
        # has waited for it would not see; or somebody's own table covers the week.
        pass
    except errors.LockNotAvailable:
        return False
    return True
