"""One series with a reading a second for so many days, and how long its history takes.

    python -m benchmarks.year DAYS REPEATS      the database is DATABASE_URL's, empty

The readings go in as a back-fill does: frames of a thousand through the writer's transactions, all
of them late, so that rollups are made as they come. Then every range is asked for as a page asks,
`history()` and its columns, beside an aggregation of its raw readings into the same buckets, which
must come to the same figures.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import ceil
from typing import Any, Final

from benchmarks import django_setup  # noqa: F401
from benchmarks.usage import used

from django.conf import settings  # isort: skip
from django.core.management import call_command  # isort: skip
from django.db import connection  # isort: skip

from dashboards import queries, queries_sqlite  # isort: skip
from dashboards.buckets import Bucket, merged  # isort: skip
from dashboards.grid import Grid, Run  # isort: skip
from dashboards.snapshot import one_snapshot  # isort: skip
from dashboards.spans import Source, Span  # isort: skip
from devices.models import Device, Series  # isort: skip
from ingest.buffer import Submission  # isort: skip
from ingest.fields import from_us, to_us  # isort: skip
from ingest.reading import NUMBER, Frame  # isort: skip
from ingest.reading import Run as Sent  # isort: skip
from ingest.storage.transaction import Transactions  # isort: skip
from project.hub import open_engine  # isort: skip

BEGIN: Final = datetime(2025, 3, 1, tzinfo=UTC)
POINTS: Final = 1_000
FRAME_READINGS: Final = 1_000
BATCH_FRAMES: Final = 20
COLD_REPEATS: Final = 9
RANGES: Final = {
    "an hour": timedelta(hours=1),
    "a day": timedelta(days=1),
    "a month": timedelta(days=30),
    "a year": timedelta(days=365),
}


def fill(device: Device, readings: int) -> float:
    """Store them by the writer's own steps; readings a second."""
    engine = open_engine(settings.OPTIONS)
    transactions = Transactions(engine, settings.OPTIONS.refused_kept, metrics=10)
    now_us = time.time_ns() // 1_000
    while engine.seal(now_us):  # what comes now is late
        pass
    frames = _frames(device, readings)
    began_s = time.perf_counter()
    while batch := list(islice(frames, BATCH_FRAMES)):
        transactions.write(batch, now_us)
    took_s = time.perf_counter() - began_s
    engine.close()
    return readings / took_s


def _frames(device: Device, readings: int) -> Iterator[Submission]:
    values = random.Random(7)
    pool = [round(20 + values.gauss(0, 3), 2) for _ in range(10 * FRAME_READINGS + 7)]
    begin_us = to_us(BEGIN)
    for first in range(0, readings, FRAME_READINGS):
        count = min(FRAME_READINGS, readings - first)
        times_us = [begin_us + second * 1_000_000 for second in range(first, first + count)]
        at = first % (len(pool) - FRAME_READINGS)
        run = Sent("temperature", NUMBER, times_us, pool[at : at + count], range(count))
        yield Submission("back-fill", device.id, 0, 1, Frame([run], readings=count), 0.0)


def settle() -> None:
    """What a database does in the hours after: its log is copied, its statistics are known."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        else:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def measured(series: Series, length: timedelta, repeats: int, end: datetime) -> dict[str, Any]:
    """One range, its edges within a second, a minute and an hour."""
    until = end - timedelta(seconds=1234.567)
    since = until - length + timedelta(seconds=1234.567 + 89.5)

    def asked() -> queries.History:
        found = queries.history([series], since, until, POINTS)
        found.series[0].columns()
        return found

    cold = [_timed(asked, before=_forget)[0] for _ in range(COLD_REPEATS)]
    processes = _processes()
    before = used(*processes)
    warm = [_timed(asked)[0] for _ in range(repeats)]
    cpu_s = (used(*processes) - before).cpu_s / repeats
    found = asked()
    raw_s, raw = _timed(lambda: from_readings(series, found))
    for _ in range(0 if raw_s > 1 else 2):
        raw_s = min(raw_s, _timed(lambda: from_readings(series, found))[0])
    assert_same(found.series[0].buckets, raw)
    return {
        "readings": sum(bucket.count for bucket in raw),
        "buckets": len(raw),
        "step_s": found.step_us / 1e6,
        "source": found.source.name.lower(),
        "warm_median_ms": _at(warm, 0.5) * 1e3,
        "warm_p95_ms": _at(warm, 0.95) * 1e3,
        "cold_median_ms": _at(cold, 0.5) * 1e3,
        "cold_p95_ms": _at(cold, 0.95) * 1e3,
        "cpu_ms": cpu_s * 1e3,
        "raw_ms": raw_s * 1e3,
        "times_raw": raw_s / _at(warm, 0.5),
    }


def _timed(call: Callable[[], Any], before: Callable[[], None] | None = None) -> tuple[float, Any]:
    if before is not None:
        before()
    began_s = time.perf_counter()
    answer = call()
    return time.perf_counter() - began_s, answer


def _processes() -> list[int]:
    """Whose work a question is: this process, and PostgreSQL's own for its connection."""
    if connection.vendor != "postgresql":
        return [os.getpid()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return [os.getpid(), *cursor.fetchone()]


def _at(times_s: list[float], share: float) -> float:
    """The time that `share` of them do not exceed."""
    return sorted(times_s)[max(0, ceil(share * len(times_s)) - 1)]


def _forget() -> None:
    """A new connection, which has read nothing; SQLite's file leaves the system's cache too."""
    connection.close()
    if connection.vendor == "sqlite":
        file = os.open(str(connection.settings_dict["NAME"]), os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def from_readings(series: Series, like: queries.History) -> list[Bucket]:
    """The same buckets from the raw readings alone, in the fastest way that this engine has."""
    (run,) = Grid(like.step_us, like.zone).runs(like.start_us, like.end_us)
    if connection.vendor == "postgresql":
        return _from_readings_postgresql(series, run)
    queries_sqlite.prepare()
    with one_snapshot() as cursor:
        found = queries_sqlite.read(cursor, [Span(0, series.id, Source.READINGS, run)])
        return merged(bucket for _, bucket in found)


# No lateral subquery, so that PostgreSQL may give it several processes.
_POSTGRESQL: Final = """
    SELECT (extract(epoch FROM bucket) * 1000000)::bigint, count, sum, min, max,
           (SELECT value FROM ingest_reading WHERE series_id = %s AND time = first),
           (extract(epoch FROM first) * 1000000)::bigint,
           (SELECT value FROM ingest_reading WHERE series_id = %s AND time = last),
           (extract(epoch FROM last) * 1000000)::bigint
    FROM (SELECT date_bin(%s::interval, time, %s) AS bucket, count(*) AS count, sum(value) AS sum,
                 min(value) AS min, max(value) AS max, min(time) AS first, max(time) AS last
          FROM ingest_reading WHERE series_id = %s AND time >= %s AND time < %s GROUP BY 1) AS g
    ORDER BY 1"""


def _from_readings_postgresql(series: Series, run: Run) -> list[Bucket]:
    width, origin = f"{run.width_us} us", from_us(run.origin_us)
    span = series.id, from_us(run.from_us), from_us(run.to_us)
    with one_snapshot() as cursor:
        cursor.execute(_POSTGRESQL, [series.id, series.id, width, origin, *span])
        return [Bucket(*row) for row in cursor.fetchall()]


def assert_same(found: list[Bucket], expected: list[Bucket]) -> None:
    """All figures exactly, sums but for the order of addition."""
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        assert abs(got.sum - wanted.sum) <= 1e-12 * wanted.count * 100
        got.sum = wanted.sum
        assert got == wanted, (got, wanted)


def main(days: str, repeats: str) -> None:
    call_command("migrate", verbosity=0)
    device = Device.objects.create(uid="year")
    readings = int(days) * 86_400
    rate = fill(device, readings)
    settle()
    series = Series.objects.select_related("device").get()
    end = BEGIN + timedelta(days=int(days))
    ranges = {name: length for name, length in RANGES.items() if length.days <= int(days)}
    figures = {name: measured(series, r, int(repeats), end) for name, r in ranges.items()}
    print(json.dumps({"readings": readings, "back_fill_readings_per_s": rate, "ranges": figures}))


if __name__ == "__main__":
    main(*sys.argv[1:])
