"""Puts readings where sealing would have put them, and says what their rollups must be.

Written apart from the hub's own SQL, so that a mistake there is not repeated here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from devices.models import Series
from ingest.fields import to_us
from ingest.models import LineState, Reading, Rollup

Rollups = dict[tuple[int, int, datetime], tuple[object, ...]]


def set_watermark(sealed_to: datetime, also: datetime | None = None, through: int = 0) -> None:
    """Sealed up to `sealed_to`; the series up to the id `through` already up to `also`."""
    LineState.objects.filter(pk=1).update(
        sealing_from=sealed_to, sealing_to=also or sealed_to, sealing_series=through
    )


def watermark_of(series_id: int, state: LineState | None = None) -> datetime:
    state = state or LineState.objects.get(pk=1)
    return state.sealing_to if series_id <= state.sealing_series else state.sealing_from


def store(series: Series, readings: Iterable[tuple[datetime, float]]) -> None:
    """Store `readings` as the line leaves them: on the watermark's right side."""
    sealed = watermark_of(series.pk)
    rows: dict[str, list[tuple[int, datetime | int, float]]] = defaultdict(list)
    for time, value in readings:
        if connection.vendor == "postgresql":
            rows["ingest_reading"].append((series.pk, time, value))
        else:
            table = "ingest_sealed" if time < sealed else "ingest_recent"
            rows[table].append((series.pk, to_us(time), value))
    with transaction.atomic(), connection.cursor() as cursor:
        for table, its_rows in rows.items():
            insert = f"INSERT INTO {table} (series_id, time, value) VALUES (%s, %s, %s)"
            cursor.executemany(insert, its_rows)
    Rollup.objects.filter(series=series).delete()
    Rollup.objects.bulk_create(
        Rollup(**dict(zip(_COLUMNS, [*key, *row], strict=True)))
        for key, row in expected_rollups().items()
        if key[0] == series.pk
    )


_COLUMNS = ["series_id", "step_s", "start", "count", "sum", "min", "max"]
_COLUMNS += ["first", "first_time", "last", "last_time"]


def stored_rollups() -> Rollups:
    return {row[:3]: row[3:] for row in Rollup.objects.values_list(*_COLUMNS)}


def expected_rollups() -> Rollups:
    """An aggregation of the readings before the watermark, in Python."""
    buckets: dict[tuple[int, int, datetime], list[tuple[datetime, float]]] = defaultdict(list)
    state = LineState.objects.get(pk=1)
    for series_id, time, value in Reading.objects.values_list("series_id", "time", "value"):
        if time < watermark_of(series_id, state):
            buckets[series_id, 60, time.replace(second=0, microsecond=0)].append((time, value))
            hour = time.replace(minute=0, second=0, microsecond=0)
            buckets[series_id, 3600, hour].append((time, value))
    return {key: _rolled_up(sorted(readings)) for key, readings in buckets.items()}


def _rolled_up(readings: list[tuple[datetime, float]]) -> tuple[object, ...]:
    values = [value for _, value in readings]
    first, last = readings[0], readings[-1]
    totals = (len(values), sum(values), min(values), max(values))
    return (*totals, first[1], first[0], last[1], last[0])
