"""The SQLite engine: one file, one writer, an fsync before each commit returns.

Rows go in by `sqlite_rows`; sealing is in `sqlite_sealing`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ingest.storage import (
    Claim,
    Counts,
    Damaged,
    OutcomeUnknown,
    Reason,
    RefusedRow,
    Rows,
    StreamAnswer,
    StreamRequest,
    Trouble,
    Watermark,
    has_moved,
    sqlite_connection,
)
from ingest.storage.sqlite_errors import told
from ingest.storage.sqlite_refused import keep_refused
from ingest.storage.sqlite_rollups import fold_late
from ingest.storage.sqlite_rows import CHUNK_ROWS, insert
from ingest.storage.sqlite_sealing import Sealing, read_watermark
from ingest.storage.sqlite_streams import open_stream
from ingest.storage.sqlite_times import django_time, us_of
from ingest.storage.trouble import LEAVES_CONNECTION


class SqliteEngine:
    """See `Engine`. Opens the database at `path`, which migrations have made.

    `may_lose`: work also where a power cut could lose what is committed.
    """

    def __init__(
        self,
        path: Path | str,
        slice_readings: int = 40_000,
        unit_readings: int = 400_000,
        may_lose: bool = False,
    ) -> None:
        self.weakness: str | None = None
        self._path = Path(path)
        self._may_lose = may_lose
        self._open: sqlite3.Connection | None = None
        self._file = (0, 0)  # (device, inode) of what is open
        self._stale = False
        self._sealing = Sealing(slice_readings, unit_readings)

    @property
    def _db(self) -> sqlite3.Connection:
        if self._open is None:
            opened = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                for pragma in sqlite_connection.PRAGMAS:
                    opened.execute(pragma).fetchall()
                self._look_at_durability(opened)
            except BaseException:  # without all of them it would not keep the promise
                opened.close()
                raise
            self._file = self._place()
            self._stale = False
            self._open = opened
        return self._open

    def _look_at_durability(self, db: sqlite3.Connection) -> None:
        (synchronous,) = db.execute("PRAGMA synchronous").fetchone()
        (journal,) = db.execute("PRAGMA journal_mode").fetchone()
        self.weakness = sqlite_connection.weakness(synchronous, journal)
        if self.weakness and not self._may_lose:
            raise Trouble(self.weakness, Reason.UNSAFE)

    def _place(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return (0, 0)
        return found.st_dev, found.st_ino

    def begin(self, stream_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        with self._told():
            db = self._db
            # SQLite would go on writing to a file that nobody finds any more, and say nothing.
            if self._place() != self._file:
                raise Damaged(f"{self._path} was moved or replaced under the running hub")
            db.execute("BEGIN IMMEDIATE")  # the lock of all: no stream moves but in here
            held: dict[int, tuple[int, int]] = {}
            for some in _slices(stream_ids):
                for stream_id, epoch, committed in db.execute(
                    f"SELECT id, epoch, committed FROM ingest_stream WHERE id IN ({_marks(some)})",
                    some,
                ):
                    held[stream_id] = (epoch, committed)
            return held

    def watermark(self) -> Watermark:
        with self._told():
            return read_watermark(self._db)

    def series(self, device_ids: Sequence[int]) -> list[tuple[int, str, int, int]]:
        found: list[tuple[int, str, int, int]] = []
        with self._told():
            for some in _slices(device_ids):
                found += self._db.execute(
                    "SELECT device_id, metric, id, kind FROM devices_series"
                    f" WHERE device_id IN ({_marks(some)})",
                    some,
                )
        return found

    def add_series(self, wanted: Sequence[tuple[int, str, int]]) -> None:
        now = django_time(time.time_ns() // 1_000)
        with self._told():
            self._db.executemany(
                "INSERT OR IGNORE INTO devices_series (device_id, metric, kind, created_at)"
                " SELECT id, ?, ?, ? FROM devices_device WHERE id = ?",
                [(metric, kind, now, device_id) for device_id, metric, kind in wanted],
            )

    def horizons(self, series_ids: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        with self._told():
            for some in _slices(series_ids):
                found.update(
                    self._db.execute(
                        "SELECT series_id, kept_from FROM ingest_horizon"
                        f" WHERE step_s = 0 AND series_id IN ({_marks(some)})",
                        some,
                    )
                )
        return found

    def insert(self, rows: Rows, late: Rows) -> tuple[list[tuple[int, Any]], list[tuple[int, Any]]]:
        with self._told():
            known = insert(self._db, "ingest_recent", rows)
            if len(known) < len(rows):
                self._sealing.note(self._db, rows.without({index for index, _ in known}))
            known_late = insert(self._db, "ingest_sealed", late)
            if len(known_late) < len(late):
                fold_late(self._db, late.without({index for index, _ in known_late}))
            return known, known_late

    def insert_texts(self, rows: Rows) -> list[tuple[int, Any]]:
        with self._told():
            return insert(self._db, "ingest_textreading", rows)

    def move_streams(self, counts: Sequence[Counts], now_us: int) -> None:
        """In one step a thousand streams: see `sqlite_rows`, of Python's lock."""
        with self._told():
            for start in range(0, len(counts), CHUNK_ROWS):
                some = counts[start : start + CHUNK_ROWS]
                values = ",".join(["(?,?,?,?,?)"] * len(some))
                moved = [
                    (c.claim.stream_id, c.claim.last, c.stored, c.duplicate, c.rejected)
                    for c in some
                ]
                self._db.execute(
                    "WITH moved (id, last, stored, duplicate, rejected) AS"
                    f" (VALUES {values}) UPDATE ingest_stream AS s SET committed = m.last,"
                    " stored = s.stored + m.stored, duplicate = s.duplicate + m.duplicate,"
                    " rejected = s.rejected + m.rejected, used_at = ?"
                    " FROM moved AS m WHERE s.id = m.id",
                    (*chain.from_iterable(moved), now_us),
                )

    def keep_refused(self, rows: Sequence[RefusedRow], kept_per_device: int) -> int:
        with self._told():
            return keep_refused(self._db, rows, kept_per_device)

    def touch(self, device_ids: Sequence[int], token_ids: Sequence[int], now_us: int) -> None:
        now = django_time(now_us)
        with self._told():
            for table, column, ids in (
                ("devices_device", "last_seen_at", device_ids),
                ("devices_token", "last_used_at", token_ids),
            ):
                for some in _slices(ids):
                    self._db.execute(
                        f"UPDATE {table} SET {column} = ? WHERE id IN ({_marks(some)})",
                        (now, *some),
                    )

    def commit(self) -> None:
        try:
            with self._told():
                self._db.execute("COMMIT")
        except Trouble as error:
            if error.reason is not Reason.DISK:
                raise
            # Where it was the sync that failed, the batch is whole in the log: to this connection
            # it did not happen, and whoever reads the log anew takes it for committed.
            self.close()
            raise OutcomeUnknown(str(error), error.reason) from error

    def rollback(self) -> None:
        """Where even that fails, the connection goes, and what was open with it."""
        if self._open is None:
            return
        try:
            if self._open.in_transaction:
                self._open.execute("ROLLBACK")
        except sqlite3.Error:
            self._stale = True
        if self._stale:
            self.close()

    def happened(self, claims: Sequence[Claim]) -> bool:
        try:
            with self._told():
                # What the log has may never reach the disk: a sync that failed is not made up for
                # by the next. Copied into the database, and that synced, it has.
                busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
            if busy:
                raise Trouble("the log cannot be copied while it is read", Reason.LOCKED)
            held = self.begin([claim.stream_id for claim in claims])
        finally:
            self.rollback()
        return has_moved(claims, held)

    def open_stream(
        self, request: StreamRequest, kept_per_device: int, now_us: int
    ) -> StreamAnswer:
        with self._told():
            return open_stream(self._db, request, kept_per_device, now_us)

    def seal(self, before_us: int) -> bool:
        try:
            with self._told():
                return self._sealing.step(self._db, before_us)
        except BaseException:
            self.rollback()
            raise

    def newest_commit_us(self) -> int:
        with self._told():
            stream_us, seen, used = self._db.execute(
                "SELECT (SELECT max(used_at) FROM ingest_stream),"
                " (SELECT max(last_seen_at) FROM devices_device),"
                " (SELECT max(last_used_at) FROM devices_token)"
            ).fetchone()
        return max(stream_us or 0, us_of(seen), us_of(used))

    def ping(self) -> None:
        try:
            self.begin([])
            with self._told():
                self._db.execute("UPDATE ingest_linestate SET catalogue = catalogue WHERE id = 1")
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def close(self) -> None:
        self._stale = False
        if self._open is not None:
            self._open.close()
            self._open = None
            self._sealing.forget()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors in the contract's words."""
        try:
            yield
        except (sqlite3.Error, OverflowError, UnicodeError, MemoryError) as error:
            said = told(error)
            if isinstance(said, Trouble) and said.reason not in LEAVES_CONNECTION:
                self._stale = True
            if said is error:
                raise
            raise said from error


def _slices(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK_ROWS):
        yield ids[start : start + CHUNK_ROWS]


def _marks(some: Sequence[int]) -> str:
    return ",".join("?" * len(some))
