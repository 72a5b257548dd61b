"""Opens a stream for a `hello` in SQLite: what is committed, a new epoch, room for a new name."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace

from ingest.hello import Opened
from ingest.storage import StreamAnswer, StreamLocked, StreamRequest, StreamReused


def open_stream(
    db: sqlite3.Connection, request: StreamRequest, kept_per_device: int, now_us: int
) -> StreamAnswer:
    """Answer one hello, in the open transaction. Raises sqlite3.Error."""
    hello, device_id = request.hello, request.device_id
    row = db.execute(
        "SELECT committed FROM ingest_stream WHERE device_id = ? AND name = ?",
        (device_id, hello.stream),
    ).fetchone()
    forgotten = 0
    if row is None:
        db.execute(
            "INSERT INTO ingest_stream (device_id, name, epoch, committed, lost, stored,"
            " duplicate, rejected, used_at) SELECT id, ?, 0, 0, 0, 0, 0, 0, ?"
            " FROM devices_device WHERE id = ?",
            (hello.stream, now_us, device_id),
        )
        # The new one stays, whatever the clock says: it may have been set back.
        forgotten = db.execute(
            "DELETE FROM ingest_stream WHERE device_id = ? AND id NOT IN (SELECT id FROM"
            " ingest_stream WHERE device_id = ? ORDER BY name = ? DESC, used_at DESC, id DESC"
            " LIMIT ?)",
            (device_id, device_id, hello.stream, kept_per_device),
        ).rowcount
    elif hello.last < row[0]:
        return StreamReused(row[0])
    moved = db.execute(
        "UPDATE ingest_stream SET epoch = ?, lost = lost + max(0, ? - committed),"
        " committed = max(committed, ?), used_at = ? WHERE device_id = ? AND name = ?"
        " RETURNING id, epoch, name, committed, lost, stored, duplicate, rejected",
        (
            secrets.randbits(63),
            hello.first - 1,
            hello.first - 1,
            now_us,
            device_id,
            hello.stream,
        ),
    ).fetchone()
    if moved is None:
        return StreamLocked()  # the device is gone
    return replace(Opened(*moved), forgotten=forgotten)
