"""Reads what is stored, series by series, for whoever holds it against something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db import connection, transaction

from devices.models import Series
from ingest.comparison import Finding, Stored
from ingest.horizons import kept_from
from ingest.models import Horizon
from ingest.refolding import Bucket, Folding, Rollups, hold_against_minutes
from ingest.retention import KeptFrom

# Devices looked at together: few enough for one query's parameters, many enough that the readings
# not yet sealed, which SQLite keeps by time, are not gone through for each series.
DEVICES_AT_ONCE: Final = 500
_FETCHED: Final = 2_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Watermark = tuple[int, int, int]  # sealing_from and sealing_to in µs, sealing_series


class KnownSeries(NamedTuple):
    """A series of the database; `id` is 0 for one that is attempted only."""

    id: int
    device: str
    metric: str
    kind: int


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All statements see one state. On SQLite deferred: Django's own would hold up the writer."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def series_of(devices: Sequence[str]) -> list[KnownSeries]:
    """The series of these devices, in the order of their ids."""
    found = Series.objects.filter(device__uid__in=devices).order_by("id")
    columns = found.values_list("id", "device__uid", "metric", "kind")
    return [KnownSeries(*row) for row in columns]


def rows_by_series(
    chosen: Sequence[KnownSeries], devices: Sequence[str], text: bool
) -> Iterator[tuple[KnownSeries, Iterator[Stored]]]:
    """Each of the `chosen` series with its readings by time, to be read before the next."""
    table = "ingest_textreading" if text else "ingest_reading"
    marks = ", ".join(["%s"] * len(devices))
    rows = _stream(
        f"SELECT series_id, {microseconds('time')}, value FROM {table} WHERE series_id IN ("
        "SELECT s.id FROM devices_series s JOIN devices_device d ON d.id = s.device_id"
        f" WHERE d.uid IN ({marks})) ORDER BY series_id, time",
        devices,
    )
    groups = groupby(rows, key=itemgetter(0))
    group = next(groups, None)
    for series in chosen:
        while group is not None and group[0] < series.id:
            group = next(groups, None)
        if group is not None and group[0] == series.id:
            yield series, ((time_us, value) for _, time_us, value in group[1])
            group = next(groups, None)
        else:
            yield series, iter(())


def watermark() -> Watermark:
    state = f"SELECT {microseconds('sealing_from')}, {microseconds('sealing_to')}, sealing_series"
    with connection.cursor() as cursor:
        cursor.execute(f"{state} FROM ingest_linestate WHERE id = 1")
        row: Watermark = cursor.fetchone()
    return row


def horizons_of(devices: Sequence[str]) -> dict[int, KeptFrom]:
    """By series of these devices, from when on what is kept of it; none, no entry."""
    return kept_from(Horizon.objects.filter(series__device__uid__in=devices))


def folding(
    series_id: int, kept: KeptFrom, until: Watermark, found: Callable[[Finding], None]
) -> Folding:
    """What folds a series' readings anew and holds its stored rollups against them."""
    minutes, hours = (
        Rollups(_rollups(series_id, step_s, kept.readings), found) for step_s in (60, 3600)
    )
    sealing_from, sealing_to, through = until
    until_us = sealing_to if series_id <= through else sealing_from
    return Folding(minutes, hours, until_us, kept.readings)


def hold_old_hours(series_id: int, kept: KeptFrom, found: Callable[[Finding], None]) -> None:
    """Hold hours whose readings are gone, and whose minutes are not, against those."""
    era = kept.minutes, kept.readings
    if era[0] < era[1]:
        hours = Rollups(_rollups(series_id, 3600, *era), found)
        hold_against_minutes(hours, _rollups(series_id, 60, *era))


def _rollups(
    series_id: int, step_s: int, from_us: int, until_us: int | None = None
) -> Iterator[Bucket]:
    """With their magnitude at most, which bounds how far a sum of sums may be off."""
    start, first_time, last_time = map(microseconds, ("start", "first_time", "last_time"))
    rows = _stream(
        f"SELECT {start}, count, sum, min, max, first, {first_time}, last, {last_time}"
        " FROM ingest_rollup WHERE series_id = %s AND step_s = %s"
        f" AND {start} >= %s AND {start} < %s ORDER BY start",
        [series_id, step_s, from_us, 2**62 if until_us is None else until_us],
    )
    for row in rows:
        bucket = Bucket(*row)
        size = bucket.count * max(abs(bucket.min), abs(bucket.max))
        yield replace(bucket, magnitude=size)


def _stream(sql: str, parameters: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, of which few are in memory at once on either engine."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, parameters)
        while rows := cursor.fetchmany(_FETCHED):
            yield from rows


def microseconds(column: str) -> str:
    """SQL of a moment in microseconds, which SQLite keeps as they are."""
    if connection.vendor == "postgresql":
        return f"(extract(epoch FROM {column}) * 1000000)::bigint"
    return column


def iso(time_us: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        return "with no usable time"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
