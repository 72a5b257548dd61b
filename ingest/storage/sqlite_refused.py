"""Keeps refused readings in SQLite, for people to see."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ingest.storage import RefusedRow
from ingest.storage.sqlite_times import django_time


def keep_refused(db: sqlite3.Connection, rows: Sequence[RefusedRow], kept_per_device: int) -> int:
    """As `Engine.keep_refused`."""
    db.executemany(
        "INSERT INTO ingest_refusedreading"
        " (device_id, received_at, seq, sample, metric, count, code, message, value)"
        # A device may be gone, and its frames on plain connections still on their way.
        " SELECT id,?,?,?,?,?,?,?,? FROM devices_device WHERE id = ?",
        [
            (
                django_time(row.received_us),
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
    return db.executemany(
        "DELETE FROM ingest_refusedreading WHERE device_id = :device AND id <= ("
        " SELECT id FROM ingest_refusedreading WHERE device_id = :device"
        " ORDER BY id DESC LIMIT 1 OFFSET :kept)",
        [
            {"device": device_id, "kept": kept_per_device}
            for device_id in {row.device_id for row in rows}
        ],
    ).rowcount
