"""How rows go into PostgreSQL: by binary COPY, and by a temporary table where some are known."""

from __future__ import annotations

import struct
from datetime import timedelta
from itertools import repeat
from typing import Any, Final

import psycopg
from psycopg import errors

from ingest.storage import Rows
from ingest.storage.postgres_sealing import EPOCH

# What COPY (FORMAT BINARY) wants: signature, flags, header; then rows; then -1. A row is a count of
# fields, then each field's length and big-endian bytes; a time is microseconds since 2000.
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER: Final = struct.pack(">h", -1)
_ROW: Final = struct.Struct(">hiqiqid").pack
_NUMBERED_ROW: Final = struct.Struct(">hiiiqiqid").pack
_Y2000_US: Final = 946_684_800_000_000

# What is joined by the key, row by row, costs the same however much is stored. Where a week's table
# is large, PostgreSQL would rather read all of the span that the rows lie in.
_BY_KEY: Final = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
_ANY_WAY: Final = "RESET enable_hashjoin; RESET enable_mergejoin"


def copy_new(db: psycopg.Connection, rows: Rows) -> bool:
    """Store rows that are all new; False, and nothing stored, where one was not.

    In one order, the same in every hub, so that two of them cannot wait for each other.
    """
    db.execute("SAVEPOINT copy")
    try:
        _stream(db, "COPY ingest_reading (series_id, time, value)", sorted(_packed(rows)))
    except errors.UniqueViolation:
        db.execute("ROLLBACK TO copy")
        return False
    db.execute("RELEASE copy")
    return True


def insert_some_known(db: psycopg.Connection, rows: Rows) -> list[tuple[int, Any]]:
    """Store the rows that are new; the others with what was stored before."""
    numbered = [
        _NUMBERED_ROW(4, 4, pos, 8, series_id, 8, at_us - _Y2000_US, 8, value)
        for pos, (at_us, series_id, value) in enumerate(rows)
    ]
    _stream(db, "COPY incoming (pos, series_id, time, value)", numbered)
    return _settle_incoming(db, "incoming", "ingest_reading", rows)


def insert_texts(db: psycopg.Connection, rows: Rows) -> list[tuple[int, Any]]:
    """Store the texts that are new; the others with what was stored before."""
    with db.cursor() as cursor, cursor.copy("COPY incoming_text FROM STDIN") as copy:
        for pos, (at_us, series_id, text) in enumerate(rows):
            copy.write_row((pos, series_id, EPOCH + timedelta(microseconds=at_us), text))
    return _settle_incoming(db, "incoming_text", "ingest_textreading", rows)


def set_moving(db: psycopg.Connection, rows: Rows) -> None:
    """Put rows where they can be added to their rollups."""
    _stream(db, "COPY moving (series_id, time, value)", _packed(rows))


def _settle_incoming(
    db: psycopg.Connection, incoming: str, table: str, rows: Rows
) -> list[tuple[int, Any]]:
    """The first of each new key is stored and leaves `incoming`; what stays there was known.

    What was known is read by a second statement: the first cannot see a row that another
    transaction committed while it waited for it. It is told the span of `rows`, so that it opens no
    partition beside.
    """
    new = db.execute(
        f"WITH new AS (INSERT INTO {table} (series_id, time, value)"
        f" SELECT DISTINCT ON (series_id, time) series_id, time, value FROM {incoming}"
        "  ORDER BY series_id, time, pos ON CONFLICT DO NOTHING RETURNING series_id, time)"
        f" DELETE FROM {incoming} WHERE pos IN (SELECT min(i.pos) FROM {incoming} i"
        "  JOIN new USING (series_id, time) GROUP BY series_id, time)"
    ).rowcount
    if new == len(rows):  # nothing stays
        return []
    span = [EPOCH + timedelta(microseconds=end(rows.times_us)) for end in (min, max)]
    db.execute(_BY_KEY)
    known = db.execute(
        f"SELECT i.pos, r.value FROM {incoming} i JOIN {table} r USING (series_id, time)"
        " WHERE r.time BETWEEN %s AND %s ORDER BY 1",
        span,
    ).fetchall()
    db.execute(_ANY_WAY)
    return known


def _stream(db: psycopg.Connection, copy_into: str, packed: list[bytes]) -> None:
    with (
        db.cursor() as cursor,
        cursor.copy(f"{copy_into} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(b"".join((_HEADER, *packed, _TRAILER)))


def _packed(rows: Rows) -> list[bytes]:
    eight = repeat(8)
    times = [at_us - _Y2000_US for at_us in rows.times_us]
    return list(map(_ROW, repeat(3), eight, rows.series_ids, eight, times, eight, rows.values))
