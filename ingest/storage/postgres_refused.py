"""Keeps refused readings in PostgreSQL, for people to see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import psycopg

from ingest.storage import RefusedRow
from ingest.storage.postgres_sealing import EPOCH


def keep_refused(db: psycopg.Connection, rows: Sequence[RefusedRow], kept_per_device: int) -> int:
    """As `Engine.keep_refused`."""
    with db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO ingest_refusedreading"
            " (device_id, received_at, seq, sample, metric, count, code, message, value)"
            # A device may be gone, and its frames on plain connections still on their way.
            " SELECT id, %s::timestamptz, %s::bigint, %s::integer, %s::text, %s::integer,"
            " %s::text, %s::text, %s::text FROM devices_device WHERE id = %s",
            [
                (
                    EPOCH + timedelta(microseconds=row.received_us),
                    row.seq,
                    row.refusal.sample,
                    row.refusal.metric or "",
                    row.refusal.count,
                    str(row.refusal.code),
                    row.refusal.message[:300],
                    row.refusal.value,
                    row.device_id,
                )
                for row in rows
            ],
        )
        cursor.executemany(
            "DELETE FROM ingest_refusedreading WHERE device_id = %s AND id <= ("
            " SELECT id FROM ingest_refusedreading WHERE device_id = %s"
            " ORDER BY id DESC LIMIT 1 OFFSET %s)",
            [
                (device_id, device_id, kept_per_device)
                for device_id in sorted({row.device_id for row in rows})
            ],
        )
        return cursor.rowcount
