"""The present as the database has it: every device, and the latest reading of each series.

Plain SQL, because the two engines keep readings differently and rows here come by the thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import ParamSpec, TypeVar

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from dashboards.live.present import DevicePresent, Known, Value
from dashboards.snapshot import one_snapshot
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from ingest.models import LineState

Latest = dict[int, tuple[int, Value]]

SQLITE_LATEST_SEALED = """
    SELECT s.value, r.time, r.value FROM json_each(%s) s CROSS JOIN ingest_sealed r
      ON r.series_id = s.value
     AND r.time = (SELECT max(time) FROM ingest_sealed WHERE series_id = s.value)"""
# One pass over what is not sealed yet. A bare column beside max() is of the row that has it.
SQLITE_LATEST_RECENT = """
    SELECT r.series_id, max(r.time), r.value FROM ingest_linestate l JOIN ingest_recent r
      ON r.time >= l.sealing_from AND (r.time >= l.sealing_to OR r.series_id > l.sealing_series)
    WHERE l.id = 1 AND r.series_id IN (SELECT value FROM json_each(%s))
    GROUP BY r.series_id"""
SQLITE_LATEST_TEXT = SQLITE_LATEST_SEALED.replace("ingest_sealed", "ingest_textreading")
_POSTGRESQL_LATEST = """
    SELECT s.id, (extract(epoch FROM r.time) * 1000000)::bigint, r.value
    FROM unnest(%s::bigint[]) AS s(id) CROSS JOIN LATERAL (
      SELECT time, value FROM {table} WHERE series_id = s.id {of}
      ORDER BY time DESC LIMIT 1) r"""
# Of all time, each partition there is has to be asked, for each series; most were heard lately.
_LATELY = "AND time >= (SELECT sealing_from - interval '7 days' FROM ingest_linestate WHERE id = 1)"
# Where the readings of a series are gone by age, its last hour still knows the newest of them.
SQLITE_LATEST_HOUR = """
    SELECT s.value, r.last_time, r.last FROM json_each(%s) s CROSS JOIN ingest_rollup r
      ON r.series_id = s.value AND r.step_s = 3600
     AND r.start = (SELECT max(start) FROM ingest_rollup
                    WHERE series_id = s.value AND step_s = 3600)"""
POSTGRESQL_LATEST_HOUR = """
    SELECT s.id, (extract(epoch FROM r.last_time) * 1000000)::bigint, r.last
    FROM unnest(%s::bigint[]) AS s(id) CROSS JOIN LATERAL (
      SELECT last_time, last FROM ingest_rollup WHERE series_id = s.id AND step_s = 3600
      ORDER BY start DESC LIMIT 1) r"""


def latest(series: Sequence[Series]) -> Latest:
    """The newest reading of each of `series` by its own time, in microseconds; none, no entry."""
    texts = [one.id for one in series if one.kind == Kind.TEXT]
    booleans = {one.id for one in series if one.kind == Kind.BOOLEAN}
    numbers = [one.id for one in series if one.kind != Kind.TEXT]
    found: Latest = {}
    with one_snapshot() as cursor:
        rows = _sqlite_rows if connection.vendor == "sqlite" else _postgresql_rows

        def take(found_rows: Iterable[tuple[int, int, Value]]) -> None:
            for series_id, at_us, value in found_rows:
                if series_id not in found or at_us > found[series_id][0]:
                    found[series_id] = at_us, bool(value) if series_id in booleans else value

        take(rows(cursor, numbers, texts))
        if gone := [number for number in numbers if number not in found]:
            take(_hours(cursor, gone))
    return found


def _hours(cursor: CursorWrapper, numbers: list[int]) -> Iterator[tuple[int, int, Value]]:
    if connection.vendor == "postgresql":
        cursor.execute(POSTGRESQL_LATEST_HOUR, [numbers])
    else:
        cursor.execute(SQLITE_LATEST_HOUR, [orjson.dumps(numbers).decode()])
    yield from cursor.fetchall()


def _sqlite_rows(
    cursor: CursorWrapper, numbers: list[int], texts: list[int]
) -> Iterator[tuple[int, int, Value]]:
    for statement, ids in (
        (SQLITE_LATEST_SEALED, numbers),
        (SQLITE_LATEST_RECENT, numbers),
        (SQLITE_LATEST_TEXT, texts),
    ):
        cursor.execute(statement, [orjson.dumps(ids).decode()])
        yield from cursor.fetchall()


def _postgresql_rows(
    cursor: CursorWrapper, numbers: list[int], texts: list[int]
) -> Iterator[tuple[int, int, Value]]:
    for table, ids in (("ingest_reading", numbers), ("ingest_textreading", texts)):
        missing = set(ids)
        for of in (_LATELY, ""):
            if missing:
                cursor.execute(_POSTGRESQL_LATEST.format(table=table, of=of), [sorted(missing)])
                for row in cursor.fetchall():
                    missing.discard(row[0])
                    yield row


PRESENT_FIELDS = ("uid", "name", "expected_interval_s", "last_seen_at")


def catalogue() -> list[DevicePresent]:
    """Every device, without values. Asked for every few seconds, so no model is made of a row."""
    rows = Device.objects.order_by("uid").values_list("id", *PRESENT_FIELDS)
    units = _units(Series.objects.all())
    return [
        DevicePresent(uid, name, interval_s, _ms(at), units=units.get(device_id, {}))
        for device_id, uid, name, interval_s, at in rows
    ]


def _units(series: QuerySet[Series]) -> dict[int, dict[str, str]]:
    """By device, the unit of each metric that has one."""
    units: dict[int, dict[str, str]] = {}
    rows = series.exclude(unit="").values_list("device_id", "metric", "unit")
    for device_id, metric, unit in rows:
        units.setdefault(device_id, {})[metric] = unit
    return units


def fleet() -> list[DevicePresent]:
    """Every device with its latest values."""
    devices = {device.id: present(device) for device in Device.objects.all()}
    _add_latest(devices, list(Series.objects.all()))
    return list(devices.values())


def known(read: Callable[[], list[DevicePresent]]) -> Known:
    """What `read` gives, for a board: with how much was erased before."""
    erasures = LineState.objects.values_list("catalogue", flat=True).get(pk=1)
    return Known(read(), erasures)


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
        if one.unit and one.device_id in devices:
            devices[one.device_id].units[one.metric] = one.unit


P = ParamSpec("P")
T = TypeVar("T")


def in_own_thread(read: Callable[P, T]) -> Callable[P, T]:
    """`read` for a thread that serves no request: its connection ends with the call.

    So a database that was restarted is met with a new connection, not with the dead one.
    """

    def read_and_close(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        finally:
            connection.close()

    return read_and_close
