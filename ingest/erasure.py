"""Erases readings by hand, exactly: a device with all it sent, a series, or a span of a series.

Beside the line, not on it: one transaction in which no writer is mid-batch and no sealing runs
deletes readings wherever they are, makes the rollups again from what remains before the
watermark, and tells every writer that its memory of series is old (`LineState.catalogue`).

Deleting a Device or a Series through the ORM, anywhere, comes through here too: `ingest.apps`
connects the two functions whose names begin with `before`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import F, Model, QuerySet

from devices.models import Device, Series
from ingest.fields import from_us, to_us
from ingest.models import Horizon, LineState, RefusedReading, Rollup, Stream
from ingest.storage.postgres_sealing import ADVISORY_LOCK

_LATEST = datetime.max.replace(tzinfo=UTC)
_TABLES = {
    "sqlite": ("ingest_recent", "ingest_sealed", "ingest_textreading"),
    "postgresql": ("ingest_reading", "ingest_textreading"),
}


def erase_device(device: Device) -> None:
    """Delete `device`, its tokens, streams and series, and every reading of theirs."""
    device.delete()


def erase_series(series: Series) -> None:
    """Forget `series` and its readings; the next reading of its metric sets the kind anew."""
    series.delete()


def erase_span(series: Series, start: datetime, end: datetime) -> int:
    """Delete the readings of `series` at or after `start` and before `end`; how many they were.

    Both are aware. A reading sent again afterwards is a new one, and is stored.

    Of a time whose readings are gone by age, the minutes that the span touches go whole; where
    those are gone as well, the hours.
    """
    using = router.db_for_write(Series)
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        _lock_line(connection, cursor)
        span = [_stored(connection, moment) for moment in (start, end)]
        erased = 0
        for table in _TABLES[connection.vendor]:
            cursor.execute(
                f"DELETE FROM {table} WHERE series_id = %s AND time >= %s AND time < %s",
                [series.pk, *span],
            )
            erased += cursor.rowcount
        for step_s in (Rollup.MINUTE_S, Rollup.HOUR_S):
            _roll_up_again(connection, cursor, series.pk, step_s, start, end)
        _change_catalogue(using)
    return erased


def before_device_is_deleted(
    sender: type[Model], instance: Device, using: str, **kwargs: Any
) -> None:
    """Erase what the device sent; called within the transaction that deletes it.

    What a connection added since Django looked for rows to delete goes as well: a series, a
    stream, a refused reading.
    """
    owned = "SELECT id FROM devices_series WHERE device_id = %s"
    _erase_all(using, owned, instance.pk)
    for rows in (Series, Stream, RefusedReading):
        _delete_rows(rows.objects.using(using).filter(device_id=instance.pk))


def before_series_is_deleted(
    sender: type[Model],
    instance: Series,
    using: str,
    origin: Model | QuerySet[Model] | None = None,
    **kwargs: Any,
) -> None:
    """Erase the series' readings; called within the transaction that deletes it."""
    of_device = origin.model if isinstance(origin, QuerySet) else type(origin)
    if of_device is not Device:  # whose own call erases all its series at once
        _erase_all(using, "%s", instance.pk)


def _erase_all(using: str, which: str, parameter: int) -> None:
    """Delete all readings and rollups of the series that the SQL `which` gives."""
    connection = connections[using]
    with connection.cursor() as cursor:
        _lock_line(connection, cursor)
        for table in (*_TABLES[connection.vendor], "ingest_rollup", "ingest_horizon"):
            cursor.execute(f"DELETE FROM {table} WHERE series_id IN ({which})", [parameter])
    _change_catalogue(using)


def _lock_line(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> None:
    """Wait until no batch and no sealing is under way, and keep the next waiting until commit.

    In SQLite the transaction itself is that lock: it began IMMEDIATE.
    """
    if connection.vendor == "postgresql":
        # A batch locks its stream rows and then shares the advisory lock; the same order here, or
        # the two would wait for each other.
        cursor.execute("LOCK TABLE ingest_stream IN EXCLUSIVE MODE")
        # Alone in its statement: what is read next must be read after the lock is held.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])


def _roll_up_again(
    connection: BaseDatabaseWrapper,
    cursor: CursorWrapper,
    series_id: int,
    step_s: int,
    start: datetime,
    end: datetime,
) -> None:
    """Make the rollups that [start, end) touches anew from the readings before the watermark."""
    first, stop = _floor(start, step_s), _ceiling(end, step_s)
    state = LineState.objects.using(connection.alias).get(pk=1)
    sealed = state.sealing_to if series_id <= state.sealing_series else state.sealing_from
    touched = [series_id, _stored(connection, first), _stored(connection, stop)]
    cursor.execute(
        "DELETE FROM ingest_rollup"
        " WHERE series_id = %s AND start >= %s AND start < %s AND step_s = %s",
        [*touched, step_s],
    )
    horizon = Horizon.objects.using(connection.alias).filter(
        series_id=series_id, step_s=Horizon.READINGS
    )
    kept_from = min(max([first, *horizon.values_list("kept_from", flat=True)]), stop)
    span = [_stored(connection, moment) for moment in (kept_from, min(stop, sealed))]
    cursor.execute(_ROLL_UP[connection.vendor][step_s], [series_id, *span])
    if step_s == Rollup.HOUR_S and first < kept_from:
        old = [series_id, touched[1], _stored(connection, kept_from)]
        cursor.execute(_ROLL_UP_MINUTES[connection.vendor], old)


def _roll_up_sql(table: str, bucket: str, step_s: int) -> str:
    return f"""
        INSERT INTO ingest_rollup (series_id, step_s, start, count, sum, min, max,
                                   first, first_time, last, last_time)
        SELECT a.series_id, {step_s}, a.start, a.count, a.sum, a.min, a.max,
               f.value, a.first_time, l.value, a.last_time
        FROM (SELECT series_id, {bucket} AS start, count(*) AS count, sum(value) AS sum,
                     min(value) AS min, max(value) AS max,
                     min(time) AS first_time, max(time) AS last_time
              FROM {table} WHERE series_id = %s AND time >= %s AND time < %s
              GROUP BY 1, 2) AS a
        JOIN {table} AS f ON f.series_id = a.series_id AND f.time = a.first_time
        JOIN {table} AS l ON l.series_id = a.series_id AND l.time = a.last_time"""


def _roll_up_minutes_sql(hour: str) -> str:
    key = "series_id = a.series_id AND step_s = 60"
    return f"""
        INSERT INTO ingest_rollup (series_id, step_s, start, count, sum, min, max,
                                   first, first_time, last, last_time)
        SELECT a.series_id, 3600, a.hour, a.count, a.sum, a.min, a.max,
               (SELECT first FROM ingest_rollup WHERE {key} AND start = a.first_start),
               a.first_time,
               (SELECT last FROM ingest_rollup WHERE {key} AND start = a.last_start), a.last_time
        FROM (SELECT series_id, {hour} AS hour, sum(count) AS count, sum(sum) AS sum,
                     min(min) AS min, max(max) AS max,
                     min(start) AS first_start, min(first_time) AS first_time,
                     max(start) AS last_start, max(last_time) AS last_time
              FROM ingest_rollup
              WHERE series_id = %s AND step_s = 60 AND start >= %s AND start < %s
              GROUP BY 1, 2) AS a"""


def _sqlite_bucket(step_us: int, column: str = "time") -> str:
    # % keeps the sign in SQLite: a time before 1970 would be rounded up, into the next bucket.
    return f"{column} - (({column} %% {step_us}) + {step_us}) %% {step_us}"


_ROLL_UP = {
    "sqlite": {
        step_s: _roll_up_sql("ingest_sealed", _sqlite_bucket(step_s * 1_000_000), step_s)
        for step_s in (Rollup.MINUTE_S, Rollup.HOUR_S)
    },
    "postgresql": {
        Rollup.MINUTE_S: _roll_up_sql("ingest_reading", "date_trunc('minute', time, 'UTC')", 60),
        Rollup.HOUR_S: _roll_up_sql("ingest_reading", "date_trunc('hour', time, 'UTC')", 3600),
    },
}


_ROLL_UP_MINUTES = {
    "sqlite": _roll_up_minutes_sql(_sqlite_bucket(Rollup.HOUR_S * 1_000_000, "start")),
    "postgresql": _roll_up_minutes_sql("date_trunc('hour', start, 'UTC')"),
}


def _floor(moment: datetime, step_s: int) -> datetime:
    at_us = to_us(moment)
    return from_us(at_us - at_us % (step_s * 1_000_000))


def _ceiling(moment: datetime, step_s: int) -> datetime:
    at_us, step_us = to_us(moment), step_s * 1_000_000
    return from_us(min(at_us + -at_us % step_us, to_us(_LATEST)))


def _stored(connection: BaseDatabaseWrapper, moment: datetime) -> int | datetime:
    return moment if connection.vendor == "postgresql" else to_us(moment)


def _change_catalogue(using: str) -> None:
    LineState.objects.using(using).filter(pk=1).update(catalogue=F("catalogue") + 1)


def _delete_rows(rows: QuerySet[Any]) -> None:
    # Past the collector, whose signals would come back here.
    rows._raw_delete(rows.db)
