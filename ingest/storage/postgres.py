"""The PostgreSQL engine: one partitioned table of readings, written by binary COPY.

COPY first, because most batches hold nothing that is stored already; where one collides, the
batch's rows go through a temporary table and ON CONFLICT. Several hubs may write at once: they
share an advisory lock from the watermark to the commit, which sealing takes for itself.
Rows go in by `postgres_rows`; sealing is in `postgres_sealing`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from ingest.storage import (
    Claim,
    Counts,
    Reason,
    RefusedRow,
    Rows,
    StreamAnswer,
    StreamRequest,
    Trouble,
    Watermark,
    has_moved,
)
from ingest.storage.postgres_connection import CONNECTION, DURABILITY, SESSION, weakness
from ingest.storage.postgres_errors import told, told_of_commit
from ingest.storage.postgres_partitions import make_ahead
from ingest.storage.postgres_refused import keep_refused
from ingest.storage.postgres_rows import copy_new, insert_some_known, insert_texts, set_moving
from ingest.storage.postgres_sealing import ADVISORY_LOCK, EPOCH, MOVING, Sealing, add_up
from ingest.storage.postgres_streams import open_stream
from ingest.storage.trouble import LEAVES_CONNECTION

_MICROSECOND: Final = timedelta(microseconds=1)


class PostgresEngine:
    """See `Engine`. `parameters` are libpq's: host, port, user, password, dbname and others.

    `may_lose`: work also where a power cut could lose what is committed.
    """

    def __init__(
        self, parameters: Mapping[str, Any], slice_readings: int = 40_000, may_lose: bool = False
    ) -> None:
        self.weakness: str | None = None
        self._parameters = {
            name: value for name, value in parameters.items() if value not in ("", None)
        }
        self._may_lose = may_lose
        self._open: psycopg.Connection | None = None
        self._stale = False
        self._sealing = Sealing(slice_readings)
        self._partitions_until_us = 0

    @property
    def _db(self) -> psycopg.Connection:
        if self._open is not None and self._open.closed:
            self._open = None
        if self._open is None:
            opened = psycopg.connect(**{**CONNECTION, **self._parameters}, autocommit=True)
            try:
                row = opened.execute(f"SELECT {DURABILITY}").fetchone()
                self._look_at_durability(*(row or ()))
                for statement in SESSION:
                    opened.execute(statement)
                self._partitions_until_us = make_ahead(opened, datetime.now(UTC))
            except BaseException:
                opened.close()
                raise
            self._stale = False
            self._open = opened
        return self._open

    def _look_at_durability(self, fsync: str, synchronous_commit: str) -> None:
        self.weakness = weakness(fsync, synchronous_commit)
        if self.weakness and not self._may_lose:
            raise Trouble(self.weakness, Reason.UNSAFE)

    def begin(self, stream_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        with self._told():
            db = self._db
            db.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            held: dict[int, tuple[int, int]] = {}
            if stream_ids:
                for stream_id, epoch, committed in db.execute(
                    "SELECT id, epoch, committed FROM ingest_stream WHERE id = ANY(%s)"
                    " ORDER BY id FOR UPDATE",
                    [list(stream_ids)],
                ):
                    held[stream_id] = (epoch, committed)
            return held

    def watermark(self) -> Watermark:
        with self._told():
            # Two statements: in one, the watermark would be read as it was before the lock.
            self._db.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ADVISORY_LOCK])
            row = self._db.execute(
                "SELECT (extract(epoch FROM sealing_from) * 1000000)::bigint,"
                " (extract(epoch FROM sealing_to) * 1000000)::bigint, sealing_series, catalogue,"
                " (extract(epoch FROM horizon) * 1000000)::bigint,"
                f" {DURABILITY} FROM ingest_linestate WHERE id = 1"
            ).fetchone()
        if row is None:
            raise Trouble("the database has no line state: run `manage.py migrate`", Reason.SCHEMA)
        *state, fsync, synchronous_commit = row
        self._look_at_durability(fsync, synchronous_commit)
        return Watermark(*state)

    def series(self, device_ids: Sequence[int]) -> list[tuple[int, str, int, int]]:
        with self._told():
            return self._db.execute(
                "SELECT device_id, metric, id, kind FROM devices_series WHERE device_id = ANY(%s)",
                [list(device_ids)],
            ).fetchall()

    def add_series(self, wanted: Sequence[tuple[int, str, int]]) -> None:
        with self._told():
            self._db.cursor().executemany(
                "INSERT INTO devices_series (device_id, metric, kind, created_at)"
                " SELECT id, %s, %s, now() FROM devices_device WHERE id = %s"
                " ON CONFLICT (device_id, metric) DO NOTHING",
                [(metric, kind, device_id) for device_id, metric, kind in wanted],
            )

    def horizons(self, series_ids: Sequence[int]) -> dict[int, int]:
        with self._told():
            rows = self._db.execute(
                "SELECT series_id, (extract(epoch FROM kept_from) * 1000000)::bigint"
                " FROM ingest_horizon WHERE step_s = 0 AND series_id = ANY(%s)",
                [list(series_ids)],
            ).fetchall()
        return dict(rows)

    def insert(self, rows: Rows, late: Rows) -> tuple[list[tuple[int, Any]], list[tuple[int, Any]]]:
        if not len(rows) and not len(late):
            return [], []
        together = rows + late if len(late) else rows
        with self._told():
            db = self._db
            known = [] if copy_new(db, together) else insert_some_known(db, together)
            if len(late):
                self._fold(late, {index - len(rows) for index, _ in known})
        before = [(index, value) for index, value in known if index < len(rows)]
        behind = [(index - len(rows), value) for index, value in known if index >= len(rows)]
        return before, behind

    def insert_texts(self, rows: Rows) -> list[tuple[int, Any]]:
        with self._told():
            return insert_texts(self._db, rows)

    def _fold(self, late: Rows, known: set[int]) -> None:
        new = late.without(known)
        if len(new):
            set_moving(self._db, new)
            add_up(self._db, MOVING)

    def move_streams(self, counts: Sequence[Counts], now_us: int) -> None:
        if not counts:
            return
        with self._told():
            self._db.execute(
                "UPDATE ingest_stream s SET committed = m.committed, stored = s.stored + m.stored,"
                " duplicate = s.duplicate + m.duplicate, rejected = s.rejected + m.rejected,"
                " used_at = %s FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
                " %s::bigint[]) AS m (id, committed, stored, duplicate, rejected)"
                " WHERE s.id = m.id",
                [
                    _moment(now_us),
                    [c.claim.stream_id for c in counts],
                    [c.claim.last for c in counts],
                    [c.stored for c in counts],
                    [c.duplicate for c in counts],
                    [c.rejected for c in counts],
                ],
            )

    def keep_refused(self, rows: Sequence[RefusedRow], kept_per_device: int) -> int:
        with self._told():
            return keep_refused(self._db, rows, kept_per_device)

    def touch(self, device_ids: Sequence[int], token_ids: Sequence[int], now_us: int) -> None:
        """Rows that another hub is just touching are skipped: it says the same."""
        with self._told():
            for table, column, ids in (
                ("devices_device", "last_seen_at", device_ids),
                ("devices_token", "last_used_at", token_ids),
            ):
                self._db.execute(
                    f"UPDATE {table} SET {column} = %s WHERE id IN (SELECT id FROM {table}"
                    " WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)",
                    [_moment(now_us), list(ids)],
                )

    def commit(self) -> None:
        db = self._open
        if db is None or db.closed:  # a new connection would know nothing of this transaction
            raise Trouble("the connection was lost before COMMIT", Reason.UNREACHABLE)
        try:
            done = db.execute("COMMIT").statusmessage
        except psycopg.Error as error:
            raise told_of_commit(error, db.closed) from error
        if done != "COMMIT":  # so it answers, without an error, where a statement had failed
            raise Trouble(f"COMMIT was answered with {done}")

    def rollback(self) -> None:
        """Where even that fails, the connection goes, and what was open with it."""
        if self._open is None or self._open.closed:
            return
        try:
            self._open.execute("ROLLBACK")
        except psycopg.Error:
            self._stale = True
        if self._stale:
            self.close()

    def happened(self, claims: Sequence[Claim]) -> bool:
        try:
            with self._told():
                # The lock is the wait: the server may still be at that COMMIT.
                rows = self._db.execute(
                    "SELECT id, epoch, committed FROM ingest_stream WHERE id = ANY(%s) ORDER BY id"
                    " FOR SHARE",
                    [[claim.stream_id for claim in claims]],
                ).fetchall()
        except BaseException:
            self.rollback()
            raise
        held = {stream_id: (epoch, committed) for stream_id, epoch, committed in rows}
        return has_moved(claims, held)

    def open_stream(
        self, request: StreamRequest, kept_per_device: int, now_us: int
    ) -> StreamAnswer:
        with self._told():
            return open_stream(self._db, request, kept_per_device, now_us)

    def seal(self, before_us: int) -> bool:
        try:
            with self._told():
                db = self._db
                if before_us >= self._partitions_until_us:
                    self._partitions_until_us = make_ahead(db, _moment(before_us))
                return self._sealing.step(db, before_us)
        except BaseException:
            self.rollback()
            raise

    def newest_commit_us(self) -> int:
        with self._told():
            [newest] = self._db.execute(
                "SELECT greatest((SELECT max(used_at) FROM ingest_stream),"
                " (SELECT max(last_seen_at) FROM devices_device),"
                " (SELECT max(last_used_at) FROM devices_token))"
            ).fetchall()[0]
        return (newest - EPOCH) // _MICROSECOND if newest is not None else 0

    def ping(self) -> None:
        try:
            with self._told():
                self._db.execute("UPDATE ingest_linestate SET catalogue = catalogue WHERE id = 1")
        except BaseException:
            self.rollback()
            raise

    def close(self) -> None:
        self._stale = False
        if self._open is not None:
            self._open.close()
            self._open = None

    @contextmanager
    def _told(self) -> Iterator[None]:
        """PostgreSQL's errors in the contract's words."""
        try:
            yield
        except (psycopg.Error, struct.error, OverflowError, UnicodeError) as error:
            said = told(error)
            if isinstance(said, Trouble) and said.reason not in LEAVES_CONNECTION:
                self._stale = True
            if said is error:
                raise
            raise said from error


def _moment(at_us: int) -> datetime:
    return EPOCH + timedelta(microseconds=at_us)
