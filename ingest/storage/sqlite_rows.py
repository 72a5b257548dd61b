"""How rows go into SQLite: by statements of many, and singly where some are known.

A step of SQLite lets go of Python's lock, and taking it back waits for whatever else runs, so it is
done once for a thousand rows and not for each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from ingest.storage import Poison, Row, Rows

CHUNK_ROWS: Final = 1_000  # of one statement; three parameters a row, of the 32,766 SQLite takes
_VALUES: Final = ",".join(["(?,?,?)"] * CHUNK_ROWS)


def insert(db: sqlite3.Connection, table: str, rows: Rows) -> list[tuple[int, Any]]:
    """Insert in chunks; a chunk of which some rows were known is done again, row by row."""
    insert = f"INSERT OR IGNORE INTO {table} (time, series_id, value) VALUES "
    known: list[tuple[int, Any]] = []
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        values = _VALUES if len(chunk) == CHUNK_ROWS else ",".join(["(?,?,?)"] * len(chunk))
        db.execute("SAVEPOINT chunk")
        inserted = db.execute(insert + values, tuple(chain.from_iterable(chunk))).rowcount
        if inserted < len(chunk):
            db.execute("ROLLBACK TO chunk")
            known += _insert_singly(db, table, chunk, start)
        db.execute("RELEASE chunk")
    return known


def _insert_singly(
    db: sqlite3.Connection, table: str, chunk: Rows, start: int
) -> list[tuple[int, Any]]:
    """Insert a chunk whose rows are not all new; the count of changes shows which were."""
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
