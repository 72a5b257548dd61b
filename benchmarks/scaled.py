"""What storage takes on top of what is stored already: on time, late, and sent again.

    python -m benchmarks.scaled READINGS FROM_US END_US DAYS ROUND [PID]

The database is DATABASE_URL's, made by `benchmarks.scale_fill` up to END_US, DAYS days of it; what
is on time begins at FROM_US; PID is the database's server, whose CPU counts too. Rows go in by the
hub's own storage, in batches of its flush size, each committed: on time as `benchmarks.bare` does
it, sealing included; late as a fleet does that was cut off for some hours of some day; and then the
same again, of which nothing is new.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Final, TypeVar

from benchmarks import bare
from benchmarks.scale_fill import DAY_US, STEP_US
from benchmarks.shapes import by_name
from benchmarks.usage import used

from django.conf import settings  # isort: skip
from django.core.management import call_command  # isort: skip

from devices.models import Series  # isort: skip
from ingest.storage import Engine, Rows  # isort: skip
from project.hub import open_engine  # isort: skip

SHAPE: Final = by_name("sample")
LATE_READINGS: Final = 200  # of a series: half an hour

T = TypeVar("T")


def late_batches(
    series: Sequence[int], readings: int, end_us: int, days: int, round_number: int
) -> Iterator[Rows]:
    """Half-hours between the stored readings, each batch of other series and of another day."""
    size = settings.OPTIONS.flush_readings
    group = max(1, size // LATE_READINGS)
    between_us = STEP_US // 2 + round_number
    for number in range(max(1, readings // size)):
        begin_us = end_us - number * 7 % days * DAY_US - LATE_READINGS * STEP_US + between_us
        times_us = range(begin_us, begin_us + LATE_READINGS * STEP_US, STEP_US)
        first = number * group % len(series)
        rows = Rows()
        for series_id in series[first : first + group]:
            rows.times_us += times_us
            rows.series_ids += repeat(series_id, LATE_READINGS)
            rows.values += [at_us % 1_000 / 10 for at_us in times_us]
        yield rows


def write_late(engine: Engine, batches: list[Rows]) -> int:
    """How many of the readings were new."""
    new = 0
    for rows in batches:
        engine.begin([])
        engine.watermark()
        _, known = engine.insert(Rows(), rows)
        engine.commit()
        new += len(rows) - len(known)
    return new


def main(
    readings: str, from_us: str, end_us: str, days: str, round_number: str, *server: str
) -> None:
    call_command("migrate", verbosity=0)  # what is kept may be of an older schema
    ours = [os.getpid(), *map(int, server)]
    series = list(Series.objects.order_by("id").values_list("id", flat=True))
    most = int(readings)
    late = list(late_batches(series, most // 4, int(end_us), int(days), int(round_number)))
    engine = open_engine(settings.OPTIONS)
    engine.ping()
    found: dict[str, dict[str, float]] = {}

    def measure(kind: str, count: int, call: Callable[[], T]) -> T:
        before, began_s = used(*ours), time.perf_counter()
        answer = call()
        took_s, after = time.perf_counter() - began_s, used(*ours)
        cpu_s = (after - before).cpu_s
        found[kind] = {"readings": count, "wall_s": took_s, "cpu_s": cpu_s}
        return answer

    figures = measure("on time", most, lambda: bare.write(engine, SHAPE, most, int(from_us)))
    found["on time"]["readings"] = figures["readings"]
    late_readings = sum(map(len, late))
    new = measure("late", late_readings, lambda: write_late(engine, late))
    assert new == late_readings, "what is late was stored already"
    new = measure("again", late_readings, lambda: write_late(engine, late))
    assert new == 0, "what is sent again is new"
    engine.close()
    print(json.dumps({"kinds": found, "until_us": figures["until_us"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
