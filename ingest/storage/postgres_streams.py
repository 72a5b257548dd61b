"""Opens a stream for a `hello` in PostgreSQL: what is committed, a new epoch, room for a name."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta

import psycopg

from ingest.hello import Opened
from ingest.storage import StreamAnswer, StreamLocked, StreamRequest, StreamReused
from ingest.storage.postgres_sealing import EPOCH


def open_stream(
    db: psycopg.Connection, request: StreamRequest, kept_per_device: int, now_us: int
) -> StreamAnswer:
    """Answer one hello, in the open transaction. Raises psycopg.Error.

    Never waits: a row that a batch holds, here or in another hub, is asked for again.
    """
    hello, device_id = request.hello, request.device_id
    now = EPOCH + timedelta(microseconds=now_us)
    inserted = db.execute(
        "INSERT INTO ingest_stream (device_id, name, epoch, committed, lost, stored, duplicate,"
        " rejected, used_at) SELECT id, %s, 0, 0, 0, 0, 0, 0, %s FROM devices_device"
        " WHERE id = %s ON CONFLICT (device_id, name) DO NOTHING",
        [hello.stream, now, device_id],
    ).rowcount
    forgotten = 0
    if inserted:
        # The new one stays, whatever the clock says: it may have been set back. The bound is
        # counted before rows are locked, or those that are skipped would not be in it.
        forgotten = db.execute(
            "DELETE FROM ingest_stream WHERE id IN (SELECT id FROM ingest_stream WHERE id IN"
            " (SELECT id FROM ingest_stream WHERE device_id = %s"
            "  ORDER BY name = %s DESC, used_at DESC, id DESC OFFSET %s)"
            " FOR UPDATE SKIP LOCKED)",
            [device_id, hello.stream, kept_per_device],
        ).rowcount
    row = db.execute(
        "SELECT id, committed FROM ingest_stream WHERE device_id = %s AND name = %s"
        " FOR UPDATE SKIP LOCKED",
        [device_id, hello.stream],
    ).fetchone()
    if row is None:
        return StreamLocked()
    if hello.last < row[1]:
        return StreamReused(row[1])
    moved = db.execute(
        "UPDATE ingest_stream SET epoch = %s, lost = lost + greatest(0, %s - committed),"
        " committed = greatest(committed, %s), used_at = %s WHERE id = %s"
        " RETURNING id, epoch, name, committed, lost, stored, duplicate, rejected",
        [secrets.randbits(63), hello.first - 1, hello.first - 1, now, row[0]],
    ).fetchone()
    assert moved is not None
    return replace(Opened(*moved), forgotten=forgotten)
