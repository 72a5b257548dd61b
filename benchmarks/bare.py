"""The bare writer: the same rows into the same database, with no server before it.

    python -m benchmarks.bare SHAPE READINGS FROM_US    the database is DATABASE_URL's

What storage alone can carry: the rows are decoded and assembled before the clock starts, and go in
by the hub's own storage in batches of its flush size, each committed with an fsync. Sealing is
included as the hub does it: half-way everything so far falls due, and a slice is sealed after each
batch; at the end the rest is sealed. No frames, streams, duplicates to tell apart or acks.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from itertools import repeat
from typing import Final

from benchmarks import django_setup  # noqa: F401
from benchmarks.shapes import METRICS, Shape, by_name
from benchmarks.stopwatch import Stopwatch
from benchmarks.usage import peak_bytes, used

import os  # isort: skip

from django.conf import settings  # isort: skip

from devices.models import Series  # isort: skip
from ingest.storage import Engine, Rows  # isort: skip
from project.hub import open_engine  # isort: skip

PACE_READINGS_PER_S: Final = 300_000
"""How close the rows' times are: as if they came at this rate."""


def batches(
    shape: Shape, series: list[int], readings: int, from_us: int, size: int
) -> Iterator[Rows]:
    """The rows of the shape's frames, each device's in turn, in batches of at least `size`."""
    interval_us = shape.readings * 1e6 / PACE_READINGS_PER_S
    step_us = interval_us * shape.devices / shape.samples
    batch = Rows()
    for frame in range(-(-readings // shape.readings)):
        newest_us = from_us + (frame + shape.devices) * interval_us
        times_us = [int(newest_us - n * step_us) for n in range(shape.samples - 1, -1, -1)]
        first = frame % shape.devices * METRICS
        for series_id in series[first : first + shape.metrics]:
            batch.times_us += times_us
            batch.series_ids += repeat(series_id, shape.samples)
            batch.values += [at_us % 1_000 / 10 for at_us in times_us]
        if len(batch) >= size:
            yield batch
            batch = Rows()
    if batch:
        yield batch


def write(engine: Engine, shape: Shape, readings: int, from_us: int) -> dict[str, float]:
    series = list(Series.objects.order_by("id").values_list("id", flat=True))
    inserting, sealing = Stopwatch(), Stopwatch()
    stored, until_us, seal_before_us, due = 0, from_us, 0, False
    engine.ping()
    gc.collect()
    gc.freeze()
    for batch in batches(shape, series, readings, from_us, settings.OPTIONS.flush_readings):
        until_us = max(until_us, batch.times_us[-1] + 1)
        with inserting:
            engine.begin([])
            watermark = engine.watermark()
            engine.insert(batch, Rows())
            engine.commit()
        assert watermark.to_us <= min(batch.times_us), (
            "only rows that are on time are the same work"
        )
        with sealing:
            due = due and engine.seal(seal_before_us)
        stored += len(batch)
        if not seal_before_us and stored * 2 >= readings:
            seal_before_us, due = min(batch.times_us), True
    with sealing:
        while engine.seal(until_us):
            pass
    return {
        "readings": stored,
        "wall_s": inserting.wall_s + sealing.wall_s,
        "cpu_s": inserting.cpu_s + sealing.cpu_s,
        "sealing_s": sealing.wall_s,
        "sealing_cpu_s": sealing.cpu_s,
        "until_us": until_us,
    }


def main(shape: str, readings: str, from_us: str) -> None:
    engine = open_engine(settings.OPTIONS)
    before = used(os.getpid())
    figures = write(engine, by_name(shape), int(readings), int(from_us))
    engine.close()  # SQLite checkpoints the rest of its log, which counts as written
    figures["written_bytes"] = (used(os.getpid()) - before).written_bytes
    figures["peak_bytes"] = peak_bytes(os.getpid())
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
