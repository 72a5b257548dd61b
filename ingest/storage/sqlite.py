"""The SQLite engine: one file, one writer, an fsync before each commit returns.

Rows go in by statements of many rows: a step of SQLite lets go of Python's lock, and taking it
back waits for whatever else runs, so it is done once for a thousand rows and not for each.
Sealing is in `sqlite_sealing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ingest.storage import (
    Claim,
    Counts,
    Damaged,
    OutcomeUnknown,
    Poison,
    Reason,
    RefusedRow,
    Row,
    Rows,
    StreamAnswer,
    StreamRequest,
    Trouble,
    Watermark,
)
from ingest.storage.sqlite_errors import told
from ingest.storage.sqlite_rollups import fold_late
from ingest.storage.sqlite_sealing import Sealing, read_watermark
from ingest.storage.sqlite_streams import open_stream
from ingest.storage.trouble import LEAVES_CONNECTION

CHUNK_ROWS: Final = 1_000  # of one statement; three parameters a row, of the 32,766 SQLite takes
_VALUES: Final = ",".join(["(?,?,?)"] * CHUNK_ROWS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

SYNCED: Final = frozenset({2, 3})  # what PRAGMA synchronous answers for FULL and EXTRA
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # the commit is on disk when it returns: the promise
    "PRAGMA busy_timeout=5000",  # the admin may hold the lock
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    # In pages: a page that many commits touch goes to the database once for all of them (measured:
    # 9 % less CPU than at 4,000), and the log stays at 64 MB.
    "PRAGMA wal_autocheckpoint=16000",
)


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
                for pragma in PRAGMAS:
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
        self.weakness = weakness(synchronous, journal)
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
        now = _django_time(datetime.now(UTC))
        with self._told():
            self._db.executemany(
                "INSERT OR IGNORE INTO devices_series (device_id, metric, kind, created_at)"
                " SELECT id, ?, ?, ? FROM devices_device WHERE id = ?",
                [(metric, kind, now, device_id) for device_id, metric, kind in wanted],
            )

    def insert(self, rows: Rows, late: Rows) -> tuple[list[tuple[int, Any]], list[tuple[int, Any]]]:
        with self._told():
            known = self._insert("ingest_recent", rows)
            if len(known) < len(rows):
                self._sealing.note(self._db, rows.without({index for index, _ in known}))
            known_late = self._insert("ingest_sealed", late)
            if len(known_late) < len(late):
                fold_late(self._db, late.without({index for index, _ in known_late}))
            return known, known_late

    def insert_texts(self, rows: Rows) -> list[tuple[int, Any]]:
        with self._told():
            return self._insert("ingest_textreading", rows)

    def _insert(self, table: str, rows: Rows) -> list[tuple[int, Any]]:
        """Insert in chunks; a chunk of which some rows were known is done again, row by row."""
        db = self._db
        insert = f"INSERT OR IGNORE INTO {table} (time, series_id, value) VALUES "
        known: list[tuple[int, Any]] = []
        for start in range(0, len(rows), CHUNK_ROWS):
            chunk = rows[start : start + CHUNK_ROWS]
            values = _VALUES if len(chunk) == CHUNK_ROWS else ",".join(["(?,?,?)"] * len(chunk))
            db.execute("SAVEPOINT chunk")
            inserted = db.execute(insert + values, tuple(chain.from_iterable(chunk))).rowcount
            if inserted < len(chunk):
                db.execute("ROLLBACK TO chunk")
                known += self._insert_singly(table, chunk, start)
            db.execute("RELEASE chunk")
        return known

    def _insert_singly(self, table: str, chunk: Rows, start: int) -> list[tuple[int, Any]]:
        """Insert a chunk whose rows are not all new; the count of changes shows which were."""
        db = self._db
        old: list[int] = []

        def traced() -> Iterator[Row]:
            changes = db.total_changes
            for position, row in enumerate(chunk):
                yield row  # `executemany` asks for the next row when this one is done
                if db.total_changes == changes:
                    old.append(position)
                else:
                    changes += 1

        db.executemany(
            f"INSERT OR IGNORE INTO {table} (time, series_id, value) VALUES (?,?,?)", traced()
        )
        select = f"SELECT value FROM {table} WHERE time = ? AND series_id = ?"
        known: list[tuple[int, Any]] = []
        for position in old:
            key = chunk.times_us[position], chunk.series_ids[position]
            before = db.execute(select, key).fetchone()
            if before is None:  # OR IGNORE passed over what the table does not take: NaN is NULL
                raise Poison(f"SQLite does not take {chunk.values[position]!r}")
            known.append((start + position, before[0]))
        return known

    def move_streams(self, counts: Sequence[Counts], now_us: int) -> None:
        """In one step a thousand streams: see the module, of rows and Python's lock."""
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
            self._db.executemany(
                "INSERT INTO ingest_refusedreading"
                " (device_id, received_at, seq, sample, metric, count, code, message, value)"
                # A device may be gone, and its frames on plain connections still on their way.
                " SELECT id,?,?,?,?,?,?,?,? FROM devices_device WHERE id = ?",
                [
                    (
                        _django_time(_EPOCH + timedelta(microseconds=row.received_us)),
                        row.seq,
                        row.refusal.sample,
                        row.refusal.metric or "",
                        row.refusal.count,
                        row.refusal.code,
                        row.refusal.message[:300],
                        row.refusal.value,
                        row.device_id,
                    )
                    for row in rows
                ],
            )
            return self._db.executemany(
                "DELETE FROM ingest_refusedreading WHERE device_id = :device AND id <= ("
                " SELECT id FROM ingest_refusedreading WHERE device_id = :device"
                " ORDER BY id DESC LIMIT 1 OFFSET :kept)",
                [
                    {"device": device_id, "kept": kept_per_device}
                    for device_id in {row.device_id for row in rows}
                ],
            ).rowcount

    def touch(self, device_ids: Sequence[int], token_ids: Sequence[int], now_us: int) -> None:
        now = _django_time(_EPOCH + timedelta(microseconds=now_us))
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
        return any(
            claim.stream_id in held
            and held[claim.stream_id][0] == claim.epoch
            and held[claim.stream_id][1] >= claim.last
            for claim in claims
        )

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
        return max(stream_us or 0, _us(seen), _us(used))

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


def weakness(synchronous: int, journal: str) -> str | None:
    """Why a power cut might lose what is committed, by the answers of these two pragmas."""
    if synchronous not in SYNCED:
        return "SQLite does not sync each commit: PRAGMA synchronous must be FULL"
    if journal in {"off", "memory"}:
        return f"SQLite keeps no journal on disk: its mode is {journal!r}"
    return None


def _slices(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK_ROWS):
        yield ids[start : start + CHUNK_ROWS]


def _marks(some: Sequence[int]) -> str:
    return ",".join("?" * len(some))


def _us(django_time: str | None) -> int:
    if django_time is None:
        return 0
    return (datetime.fromisoformat(django_time).replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _django_time(moment: datetime) -> str:
    """As Django's DateTimeField keeps a moment in SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
