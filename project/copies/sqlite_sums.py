"""What is in a SQLite database: its tables, migrations, and sums by range of series."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import blake2b
from itertools import groupby
from typing import Final

from project.copies.manifest import SERIES_A_RANGE, Sum, Sums

SUMMED: Final = {
    "ingest_reading": "series_id, time, value",
    "ingest_textreading": "series_id, time, value",
    "ingest_rollup": "series_id, step_s, start, count, sum, min, max, first, first_time, last,"
    " last_time",
}
_DIGEST_BYTES: Final = 8


def tables(db: sqlite3.Connection) -> dict[str, int]:
    """The rows of each table."""
    names = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " ORDER BY name"
    ).fetchall()
    return {name: _number(db, f'SELECT count(*) FROM "{name}"') for (name,) in names}


def migrations(db: sqlite3.Connection) -> list[str]:
    rows = db.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    return [f"{app}.{name}" for app, name in rows]


def sums(db: sqlite3.Connection) -> Sums:
    """Readings are those that queries see: what is swept later is in none."""
    return {
        (table, number): found
        for table, columns in SUMMED.items()
        for number, found in _ranges(db, table, columns)
    }


def _ranges(db: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[int, Sum]]:
    key = ", ".join(columns.split(", ")[: 3 if table == "ingest_rollup" else 2])
    rows = db.execute(f"SELECT {columns} FROM {table} ORDER BY {key}")
    for number, group in groupby(rows, key=lambda row: row[0] // SERIES_A_RANGE):
        digest, count = blake2b(digest_size=_DIGEST_BYTES), 0
        for row in group:
            digest.update(repr(row).encode())
            count += 1
        yield number, Sum(count, digest.hexdigest())


def _number(db: sqlite3.Connection, query: str) -> int:
    row = db.execute(query).fetchone()
    return int(row[0])
