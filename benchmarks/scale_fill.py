"""Makes a database that holds any number of readings, with their rollups, straight into its tables.

    python -m benchmarks.scale_fill READINGS END_US     the database is DATABASE_URL's, empty

A thousand devices of three metrics measured every ten seconds in one hour of each day, up to
END_US, the end of an hour. It is what the line would have left: on PostgreSQL in the tables of its
weeks, on SQLite sealed, with the watermark at END_US. A day goes in after the other, so that tables
and indexes grow as they do in life. All series measured the same, which no database makes use of.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby, product
from typing import Any, Final, cast

from benchmarks import django_setup  # noqa: F401
from benchmarks.shapes import FLEET, METRICS

import psycopg  # isort: skip
from django.core.management import call_command  # isort: skip
from django.db import connection, transaction  # isort: skip

from devices.models import Device, Series  # isort: skip
from ingest.fields import from_us  # isort: skip
from ingest.models import LineState  # isort: skip
from ingest.refolding import Bucket, bucket_of  # isort: skip
from ingest.storage.postgres_partitions import make_ahead  # isort: skip

STEP_US: Final = 10_000_000
DAY_READINGS: Final = 360
MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
SERIES: Final = FLEET * METRICS

_TABLES: Final = (
    "CREATE TEMPORARY TABLE day (time {time}, value {real})",
    "CREATE TEMPORARY TABLE folded (step_s integer, start {time}, count bigint, sum {real},"
    " min {real}, max {real}, first {real}, first_time {time}, last {real}, last_time {time})",
)
_ADD: Final = (
    "INSERT INTO {readings} (series_id, time, value)"
    " SELECT s.id, d.time, d.value FROM devices_series s CROSS JOIN day d ORDER BY 1, 2",
    "INSERT INTO ingest_rollup (series_id, step_s, start, count, sum, min, max, first, first_time,"
    " last, last_time)"
    " SELECT s.id, f.* FROM devices_series s CROSS JOIN folded f ORDER BY 1, 2, 3",
    "DELETE FROM day",
    "DELETE FROM folded",
)

Reading = tuple[int, float]


def days_of(readings: int) -> int:
    """How many days it takes. Pure."""
    return -(-_each(readings) // DAY_READINGS)


def _each(readings: int) -> int:
    return max(1, round(readings / SERIES))


def days(readings: int, end_us: int) -> Iterator[list[Reading]]:
    """What each series measured on each day, the oldest first. Pure."""
    each = _each(readings)
    for day in reversed(range(days_of(readings))):
        count = min(DAY_READINGS, each - day * DAY_READINGS)
        begin_us = end_us - day * DAY_US - count * STEP_US
        yield [(begin_us + n * STEP_US, 20 + (day + n) * 7 % 97 / 10) for n in range(count)]


def rollups(day: list[Reading]) -> Iterator[tuple[int, Bucket]]:
    """(step, what they come to) of each minute of a day, and of its hour. Pure."""
    for _, minute in groupby(day, key=lambda reading: reading[0] // MINUTE_US):
        yield 60, bucket_of(list(minute))
    yield 3600, replace(bucket_of(day), start_us=day[0][0] // HOUR_US * HOUR_US)


def fill(readings: int, end_us: int) -> int:
    """Fill the database; how many readings there are."""
    call_command("migrate", verbosity=0)
    names = [f"metric{n}" for n in range(METRICS)]
    Device.objects.bulk_create(Device(uid=f"sensor-{n:05}") for n in range(FLEET))
    Series.objects.bulk_create(
        Series(device=device, metric=name, kind=0)
        for device, name in product(Device.objects.order_by("id"), names)
    )
    _prepare(readings, end_us)
    stored = 0
    for day in days(readings, end_us):
        with transaction.atomic():
            _store(day)
        stored += len(day) * SERIES
    end = from_us(end_us)
    LineState.objects.update(sealing_from=end, sealing_to=end, sealing_series=0)
    _settle()
    return stored


def _prepare(readings: int, end_us: int) -> None:
    sqlite = connection.vendor == "sqlite"
    types = {"time": "integer", "real": "real"}
    if not sqlite:
        types = {"time": "timestamptz", "real": "double precision"}
    with connection.cursor() as cursor:
        # It is made anew if it is cut off.
        cursor.execute("PRAGMA synchronous=OFF" if sqlite else "SET synchronous_commit = off")
        for statement in _TABLES:
            cursor.execute(statement.format(**types))
    if not sqlite:
        at_us, until_us = next(days(readings, end_us))[0][0], end_us + 7 * DAY_US
        while at_us < until_us:
            make_ahead(cast(psycopg.Connection, connection.connection), from_us(at_us))
            at_us += 7 * DAY_US


def _store(day: list[Reading]) -> None:
    table = "ingest_sealed" if connection.vendor == "sqlite" else "ingest_reading"
    folded = [
        (
            *(step_s, _time(b.start_us), b.count, b.sum, b.min, b.max),
            *(b.first, _time(b.first_us), b.last, _time(b.last_us)),
        )
        for step_s, b in rollups(day)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO day VALUES (%s, %s)", [(_time(at_us), value) for at_us, value in day]
        )
        cursor.executemany(f"INSERT INTO folded VALUES ({', '.join(['%s'] * 10)})", folded)
        for statement in _ADD:
            cursor.execute(statement.format(readings=table))


def _time(at_us: int) -> int | datetime:
    return at_us if connection.vendor == "sqlite" else from_us(at_us)


def _settle() -> None:
    """What a database does in the hours after: its log is copied, its statistics are known."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
    connection.close()


_SIZES: Final = {
    # Its own sum of bytes overflows at 2 GB.
    "sqlite": "SELECT name, pageno * page_size FROM dbstat, pragma_page_size"
    " WHERE aggregate = TRUE AND name LIKE 'ingest_%%'",
    "postgresql": "SELECT relname, pg_table_size(oid) + pg_indexes_size(oid) FROM pg_class"
    " WHERE relkind = 'r' AND relname LIKE 'ingest_%%'",
}


def sizes() -> dict[str, Any]:
    """Bytes of what readings and rollups take, with their indexes."""
    found = {"readings": 0, "rollups": 0}
    with connection.cursor() as cursor:
        cursor.execute(_SIZES[connection.vendor], [])
        for name, size_bytes in cursor.fetchall():
            if name.startswith(("ingest_reading", "ingest_recent", "ingest_sealed")):
                found["readings"] += size_bytes
            elif name.startswith("ingest_rollup"):
                found["rollups"] += size_bytes
    return found


def main(readings: str, end_us: str) -> None:
    stored = fill(int(readings), int(end_us))
    print(json.dumps({"readings": stored, "days": days_of(int(readings)), "bytes": sizes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
