"""What pages ask of the database: the latest of each series, and history in buckets.

Every answer is one snapshot and obeys the watermark: rollups hold the readings of a series before
it, so what is read from rollups is completed with the readings at or after it, never both.
Plain SQL, because the two engines keep readings differently and rows here come by the thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper

from dashboards import buckets
from dashboards.present import DevicePresent, Value
from devices.models import Device, Kind, Series
from ingest.fields import from_us, to_us

Latest = dict[int, tuple[int, Value]]


@dataclass(frozen=True)
class History:
    """Buckets of one series. `start_us` and `end_us` are those asked for, widened to steps."""

    start_us: int
    end_us: int
    step_us: int
    gap_us: int
    source: buckets.Source
    buckets: list[buckets.Bucket]

    def columns(self) -> dict[str, list[Any]]:
        return buckets.columns(self.buckets, self.step_us, self.gap_us)


@contextmanager
def one_snapshot() -> Iterator[CursorWrapper]:
    """A cursor whose statements all see the same state of the database.

    On SQLite a deferred BEGIN: Django's own would be IMMEDIATE and hold up the writer.
    """
    with connection.cursor() as cursor:
        if connection.in_atomic_block:  # a caller's transaction decides
            yield cursor
            return
        postgresql = connection.vendor == "postgresql"
        cursor.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if postgresql else "BEGIN DEFERRED"
        )
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")


SQLITE_LATEST_SEALED = """
    SELECT s.id, r.time, r.value FROM devices_series s JOIN ingest_sealed r
      ON r.series_id = s.id
     AND r.time = (SELECT max(time) FROM ingest_sealed WHERE series_id = s.id)
    WHERE s.id IN (SELECT value FROM json_each(%s))"""
# One pass over what is not sealed yet. A bare column beside max() is of the row that has it.
SQLITE_LATEST_RECENT = """
    SELECT r.series_id, max(r.time), r.value FROM ingest_linestate l JOIN ingest_recent r
      ON r.time >= l.sealing_from AND (r.time >= l.sealing_to OR r.series_id > l.sealing_series)
    WHERE l.id = 1 AND r.series_id IN (SELECT value FROM json_each(%s))
    GROUP BY r.series_id"""
SQLITE_LATEST_TEXT = SQLITE_LATEST_SEALED.replace("ingest_sealed", "ingest_textreading")
POSTGRESQL_LATEST = """
    SELECT s.id, (extract(epoch FROM r.time) * 1000000)::bigint, r.value
    FROM unnest(%s::bigint[]) AS s(id) CROSS JOIN LATERAL (
      SELECT time, value FROM ingest_reading WHERE series_id = s.id
      ORDER BY time DESC LIMIT 1) r"""
POSTGRESQL_LATEST_TEXT = POSTGRESQL_LATEST.replace("ingest_reading", "ingest_textreading")


def latest(series: Sequence[Series]) -> Latest:
    """The newest reading of each of `series` by its own time, in microseconds; none, no entry."""
    texts = [one.id for one in series if one.kind == Kind.TEXT]
    booleans = {one.id for one in series if one.kind == Kind.BOOLEAN}
    numbers = [one.id for one in series if one.kind != Kind.TEXT]
    found: Latest = {}
    with one_snapshot() as cursor:
        for statement, ids in _latest_statements(numbers, texts):
            cursor.execute(statement, [ids])
            for series_id, at_us, value in cursor.fetchall():
                if series_id not in found or at_us > found[series_id][0]:
                    found[series_id] = at_us, bool(value) if series_id in booleans else value
    return found


def _latest_statements(numbers: list[int], texts: list[int]) -> list[tuple[str, str | list[int]]]:
    if connection.vendor == "postgresql":
        return [(POSTGRESQL_LATEST, numbers), (POSTGRESQL_LATEST_TEXT, texts)]
    as_json = orjson.dumps(numbers).decode()
    return [
        (SQLITE_LATEST_SEALED, as_json),
        (SQLITE_LATEST_RECENT, as_json),
        (SQLITE_LATEST_TEXT, orjson.dumps(texts).decode()),
    ]


PRESENT_FIELDS = ("uid", "name", "expected_interval_s", "last_seen_at")


def catalogue() -> list[DevicePresent]:
    """Every device, without values. Asked for every few seconds, so no model is made of a row."""
    rows = Device.objects.order_by("uid").values_list(*PRESENT_FIELDS)
    return [DevicePresent(uid, name, interval_s, _ms(at)) for uid, name, interval_s, at in rows]


def fleet() -> list[DevicePresent]:
    """Every device with its latest values."""
    devices = {device.id: present(device) for device in Device.objects.all()}
    _add_latest(devices, list(Series.objects.all()))
    return list(devices.values())


def device_present(device: Device) -> DevicePresent:
    """One device with its latest values."""
    found = present(device)
    _add_latest({device.id: found}, list(device.series.all()))
    return found


def present(device: Device) -> DevicePresent:
    seen_ms = _ms(device.last_seen_at)
    return DevicePresent(device.uid, device.name, device.expected_interval_s, seen_ms)


def _ms(at: datetime | None) -> int | None:
    return to_us(at) // 1000 if at else None


def _add_latest(devices: dict[int, DevicePresent], series: list[Series]) -> None:
    found = latest(series)
    for one in series:
        if one.id in found and one.device_id in devices:
            at_us, value = found[one.id]
            devices[one.device_id].values[one.metric] = at_us / 1000, value


T = TypeVar("T")


def in_own_thread(read: Callable[[], T]) -> Callable[[], T]:
    """`read` for a thread that serves no request: its connection ends with the call.

    So a database that was restarted is met with a new connection, not with the dead one.
    """

    def read_and_close() -> T:
        try:
            return read()
        finally:
            connection.close()

    return read_and_close


SQLITE_ROLLUPS = """
    SELECT start, count, sum, min, max, first, first_time, last, last_time FROM ingest_rollup
    WHERE series_id = %s AND step_s = %s AND start >= %s AND start < %s"""
SQLITE_READINGS = """
    SELECT time, value FROM ingest_reading WHERE series_id = %s AND time >= %s AND time < %s"""
_US = "(extract(epoch FROM {}) * 1000000)::bigint"
POSTGRESQL_ROLLUPS = f"""
    SELECT {_US.format("start")}, count, sum, min, max,
           first, {_US.format("first_time")}, last, {_US.format("last_time")} FROM ingest_rollup
    WHERE series_id = %s AND step_s = %s AND start >= %s AND start < %s"""
POSTGRESQL_READINGS = f"""
    SELECT {_US.format("time")}, value FROM ingest_reading
    WHERE series_id = %s AND time >= %s AND time < %s"""


def history(series: Series, start: datetime, end: datetime, points: int) -> History:
    """The readings of a numeric or boolean `series` from `start` up to `end`, exactly, in buckets.

    At most `points` buckets, and one more where the edges cut through two. OverflowError where
    the widened edges leave the calendar.
    """
    start_us, end_us = to_us(start), to_us(end)
    step_us = buckets.step_us_for(end_us - start_us, points)
    start_us -= start_us % step_us
    end_us += -end_us % step_us
    source = buckets.source_for(step_us)
    with one_snapshot() as cursor:
        readings_from_us, rollups = start_us, []
        if source is not buckets.Source.READINGS:
            readings_from_us = max(start_us, _watermark_us(cursor, series.id))
            rollups = _rollups(cursor, series.id, source, start_us, end_us)
        readings = _readings(cursor, series.id, readings_from_us, end_us)
        folded = buckets.fold(rollups, readings, step_us)
    gap_us = buckets.gap_us_for(folded, step_us, series.device.expected_interval_s)
    return History(start_us, end_us, step_us, gap_us, source, folded)


def _watermark_us(cursor: CursorWrapper, series_id: int) -> int:
    """Readings of the series are in its rollups exactly where their time is before this."""
    cursor.execute(
        "SELECT CASE WHEN %s <= sealing_series THEN sealing_to ELSE sealing_from END"
        " FROM ingest_linestate WHERE id = 1",
        [series_id],
    )
    (watermark,) = cursor.fetchone()
    return to_us(watermark) if isinstance(watermark, datetime) else watermark


def _rollups(
    cursor: CursorWrapper, series_id: int, source: buckets.Source, start_us: int, end_us: int
) -> list[buckets.Bucket]:
    postgresql = connection.vendor == "postgresql"
    cursor.execute(
        POSTGRESQL_ROLLUPS if postgresql else SQLITE_ROLLUPS,
        [series_id, int(source), *_span(start_us, end_us)],
    )
    return [buckets.Bucket(*row) for row in cursor.fetchall()]


def _readings(
    cursor: CursorWrapper, series_id: int, start_us: int, end_us: int
) -> list[tuple[int, float]]:
    if start_us >= end_us:
        return []
    postgresql = connection.vendor == "postgresql"
    cursor.execute(
        POSTGRESQL_READINGS if postgresql else SQLITE_READINGS,
        [series_id, *_span(start_us, end_us)],
    )
    readings: list[tuple[int, float]] = cursor.fetchall()
    return readings


def _span(start_us: int, end_us: int) -> list[Any]:
    if connection.vendor == "postgresql":
        return [from_us(start_us), from_us(end_us)]
    return [start_us, end_us]
