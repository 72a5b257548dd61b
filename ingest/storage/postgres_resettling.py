"""Gives the weeks that lie in the default partition tables of their own, beside running hubs.

PostgreSQL makes no partition for a span that the default one has rows of. So everything in there is
copied, slice by slice, to new tables that nobody sees yet; a trigger notes what changes meanwhile,
and that is copied anew. At the end the new tables take the old one's place in one transaction,
which reads and moves no row. Who dies in between leaves copies, which the next run throws away.

Beside the line, not on it: two connections of its own. Not for tables that Citus distributes, which
have no triggers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import MAXYEAR, UTC, datetime
from typing import Final

import psycopg
from psycopg import errors, sql

from ingest.storage.postgres_partitions import ALONE, bounds_of, is_partitioned, name_of

# Fewer than these stay in the default partition: a clock that was wrong once leaves no tables.
READINGS_LEAST: Final = 10_000
SLICE_READINGS: Final = 50_000
# At the end who writes waits: for queries that have begun, and for the catalogue.
TRIES: Final = 20
LOCK_TIMEOUT: Final = "300ms"
OLDER_QUERIES_S: Final = 1.0
PAUSE_S: Final = 0.5

_RUN_LOCK: Final = 0x57454955  # two runs would throw away each other's copies
_LAST_WEEKS: Final = datetime(MAXYEAR, 12, 20, tzinfo=UTC)  # their end is in no calendar
_NAMES: Final = ("default", "resettled", "rest", "changes", "noted")

_WEEKS: Final = """
SELECT date_bin('7 days', time, '0001-01-01 00:00:00+00') AS monday, count(*)
FROM {default} GROUP BY 1 ORDER BY 1
"""
_BEGIN: Final = (
    # A vacuum under way makes room for who has waited a second; later ones would be in the way.
    "SET LOCAL lock_timeout = '1500ms'",
    "ALTER TABLE {default} SET (autovacuum_enabled = off)",
    "CREATE TABLE {changes} (series_id bigint NOT NULL, time timestamptz NOT NULL)",
    "CREATE TABLE {resettled} (LIKE {table} INCLUDING INDEXES INCLUDING CONSTRAINTS)"
    " PARTITION BY RANGE (time)",
    "CREATE TABLE {rest} PARTITION OF {resettled} DEFAULT",
    """CREATE FUNCTION {noted}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP <> 'INSERT' THEN INSERT INTO {changes} VALUES (OLD.series_id, OLD.time); END IF;
        IF TG_OP <> 'DELETE' THEN INSERT INTO {changes} VALUES (NEW.series_id, NEW.time); END IF;
        RETURN NULL; END $$""",
    # Waits for who writes there now: what they commit is in the copy, what comes later is noted.
    """CREATE TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON {default}
        FOR EACH ROW EXECUTE FUNCTION {noted}()""",
)
_NEW: Final = (
    "CREATE TABLE {new} PARTITION OF {resettled} FOR VALUES FROM ({first}) TO ({last})",
    # By this it can be attached elsewhere without being read.
    "ALTER TABLE {new} ADD CONSTRAINT within CHECK (time >= {first} AND time < {last})",
)
_SETTLE: Final = (
    "ALTER TABLE {resettled} DETACH PARTITION {new}",
    "ALTER TABLE {table} ATTACH PARTITION {new} FOR VALUES FROM ({first}) TO ({last})",
    "ALTER TABLE {new} DROP CONSTRAINT within",
)
_END: Final = (
    "ALTER TABLE {resettled} DETACH PARTITION {rest}",
    "ALTER TABLE {table} ATTACH PARTITION {rest} DEFAULT",
    "ALTER TABLE {rest} RENAME TO {default}",
    "DROP TABLE {resettled}",
    "DROP TABLE {changes}",
    "DROP FUNCTION {noted}()",
)
_THROW_AWAY: Final = (
    "ALTER TABLE {default} RESET (autovacuum_enabled)",
    "DROP TRIGGER IF EXISTS noted ON {default}",
    "DROP FUNCTION IF EXISTS {noted}()",
    "DROP TABLE IF EXISTS {changes}",
    "DROP TABLE IF EXISTS {resettled}",
)
_COPY: Final = """
WITH slice AS (SELECT series_id, time, value FROM {default} WHERE (series_id, time) > (%s, %s)
              ORDER BY series_id, time LIMIT %s),
     copied AS (INSERT INTO {resettled} SELECT * FROM slice)
SELECT series_id, time, count(*) OVER () FROM slice ORDER BY 1 DESC, 2 DESC LIMIT 1
"""
# What was noted is asked for anew, whatever it was: new, changed or gone.
_TAKE_CHANGES: Final = """
CREATE TEMP TABLE changed ON COMMIT DROP AS
WITH taken AS (DELETE FROM {changes} WHERE ctid = ANY(ARRAY(
                   SELECT ctid FROM {changes} LIMIT %s)) RETURNING series_id, time)
SELECT DISTINCT series_id, time FROM taken
"""
_FORGET_CHANGED: Final = """
DELETE FROM {resettled} r USING changed c WHERE r.series_id = c.series_id AND r.time = c.time
"""
_COPY_CHANGED: Final = """
INSERT INTO {resettled} SELECT d.series_id, d.time, d.value
FROM {default} d JOIN changed c ON c.series_id = d.series_id AND c.time = d.time
"""
# A query whose snapshot is older than a copy would find its readings neither there nor in the old
# table, which it would no longer look into. Who waits for us (the last two) has no such snapshot.
_QUERIES: Final = """
SELECT pid, xact_start FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL
  AND pid <> ALL(%s::int[]) AND NOT pg_blocking_pids(pid) && %s::int[]
"""


class Unsettled(Exception):
    """It could not be done; the sentence says why, and what to do."""


@dataclass
class Resettling:
    """One table's default partition, emptied. `connect` gives connections that autocommit."""

    table: str
    connect: Callable[[], psycopg.Connection]
    least: int = READINGS_LEAST
    slice_readings: int = SLICE_READINGS
    weeks: list[tuple[datetime, int]] = field(default_factory=list)  # that get tables
    copied: int = 0

    def __post_init__(self) -> None:
        self._db, self._gate = self.connect(), self.connect()
        self._after: list[object] = [-(2**63), datetime.min.replace(tzinfo=UTC)]
        self._parts = {name: sql.Identifier(f"{self.table}_{name}") for name in _NAMES}
        self._parts["table"] = sql.Identifier(self.table)
        for db in (self._db, self._gate):
            db.execute("SET TIME ZONE 'UTC'")
            db.execute("SET jit = off")
            db.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")

    def close(self) -> None:
        self._db.close()
        self._gate.close()

    def begin(self) -> bool:
        """Look for weeks, and make what is copied to; False where there is nothing to do.

        Raises Unsettled.
        """
        if not is_partitioned(self._db, self.table):
            return False
        if not self._one("SELECT pg_try_advisory_lock(%s)", [_RUN_LOCK]):
            raise Unsettled("Another run is at it: let that one end.")
        if self._one("SELECT to_regclass(%s)", [f"{self.table}_changes"]):
            self._patiently(self._throw_away)  # what a run that died has left
        found = self._db.execute(self._sql(_WEEKS)).fetchall()
        self.weeks = [
            (start, count) for start, count in found if count >= self.least and start < _LAST_WEEKS
        ]
        if not self.weeks:
            return False
        if self._one("SELECT count(*) FROM pg_extension WHERE extname = 'citus'", []):
            raise Unsettled("Citus distributes these tables: its own functions move their rows.")
        self._patiently(self._make)
        return True

    def copy_some(self) -> bool:
        """Copy one slice; False when all that was there is copied."""
        found = self._db.execute(self._sql(_COPY), [*self._after, self.slice_readings])
        last = found.fetchone()
        if last is None:
            return False
        *self._after, copied = last
        self.copied += copied
        return True

    def follow(self) -> bool:
        """Copy anew some of what changed meanwhile; False when nothing did."""
        with self._db.transaction():
            self._db.execute(self._sql(_TAKE_CHANGES), [self.slice_readings])
            self._db.execute("ANALYZE changed")
            self._db.execute(self._sql(_FORGET_CHANGED))
            self._db.execute(self._sql(_COPY_CHANGED))
            return bool(self._one("SELECT count(*) FROM changed", []))

    def end(self) -> bool:
        """Put the new tables in the old one's place; False, and nothing done, if not just now.

        Holds up who writes, as erasing does, while queries that began before come to their end;
        and who reads for the last transaction, a few ms for each week.
        """
        gate = self._gate
        try:
            with gate.transaction():
                for lock in ALONE:
                    gate.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
                gate.execute(self._sql("LOCK TABLE {default} IN SHARE MODE"))
                while self.follow():
                    pass
                if not self._older_queries_ended():
                    raise psycopg.Rollback
                self._take_place()
                return True
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            pass
        return False

    def run(self) -> bool:
        """All of it; False where there was nothing to do. Raises Unsettled."""
        if not self.begin():
            return False
        while self.copy_some():
            pass
        while self.follow():
            pass
        for _ in range(TRIES):
            if self.end():
                return True
            time.sleep(PAUSE_S)
        self._patiently(self._throw_away)
        raise Unsettled(
            f"Queries on {self.table} have been running for too long, or come too close: nothing"
            " was changed. Run it again at a quieter time."
        )

    def _make(self) -> None:
        with self._db.transaction():
            for statement in _BEGIN:
                self._db.execute(self._sql(statement))
            for start, _ in self.weeks:
                first, last = bounds_of(start)
                for statement in _NEW:
                    parts = {"new": self._named(start), "first": first, "last": last}
                    self._db.execute(self._sql(statement, **parts))

    def _take_place(self) -> None:
        """In the open transaction: only what rests, which is little, is read."""
        self._gate.execute(self._sql("ALTER TABLE {table} DETACH PARTITION {default}"))
        self._gate.execute(self._sql("DROP TABLE {default}"))
        for start, _ in self.weeks:
            first, last = bounds_of(start)
            for statement in _SETTLE:
                parts = {"new": self._named(start), "first": first, "last": last}
                self._gate.execute(self._sql(statement, **parts))
        for statement in _END:
            self._gate.execute(self._sql(statement))

    def _throw_away(self) -> None:
        with self._db.transaction():
            for statement in _THROW_AWAY:
                self._db.execute(self._sql(statement))

    def _older_queries_ended(self) -> bool:
        ours = [self._db.info.backend_pid, self._gate.info.backend_pid]
        older = set(self._db.execute(_QUERIES, [ours, ours]).fetchall())
        until_s = time.monotonic() + OLDER_QUERIES_S
        while older := older.intersection(self._db.execute(_QUERIES, [ours, ours]).fetchall()):
            if time.monotonic() > until_s:
                return False
            time.sleep(0.01)
        return True

    def _patiently(self, step: Callable[[], None]) -> None:
        """`step`, which wants a lock that others hold for a moment. Raises Unsettled."""
        for _ in range(TRIES):
            try:
                return step()
            except errors.LockNotAvailable:
                time.sleep(PAUSE_S)
        raise Unsettled(f"Others hold {self.table} without a pause: try again at a quieter time.")

    def _named(self, start: datetime) -> sql.Identifier:
        return sql.Identifier(name_of(self.table, start))

    def _sql(self, statement: str, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(statement).format(**self._parts, **more)

    def _one(self, statement: str, parameters: list[object]) -> object:
        row = self._db.execute(statement, parameters).fetchone()
        return row[0] if row else None
