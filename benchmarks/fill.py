"""Makes a hub's database that already holds readings: its fleet, its login, and millions of rows.

    python -m benchmarks.fill READINGS TOKENS_FILE      the database is DATABASE_URL's

The readings go in by the hub's own storage and are sealed by it. They are the fleet's own series,
and end two hours ago, so that what a run sends is never among them.
"""

from __future__ import annotations

import sys
import time
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks import django_setup  # noqa: F401
from benchmarks.shapes import FLEET, METRICS

from django.conf import settings  # isort: skip
from django.core.management import call_command  # isort: skip

from devices.models import Device, Series  # isort: skip
from ingest.storage import Engine, Rows  # isort: skip
from project.hub import open_engine  # isort: skip
from simulators.waveforms import metrics  # isort: skip

STEP_S: Final = 2
AGO_S: Final = 7_200
BATCH_READINGS: Final = 20_000
SEAL_EVERY_READINGS: Final = 1_000_000


def fill(readings: int, tokens: Path) -> None:
    call_command("migrate", verbosity=0)
    call_command("makefleet", str(FLEET), tokens=tokens, verbosity=0)
    # Its password is in DJANGO_SUPERUSER_PASSWORD.
    call_command("createsuperuser", username="bench", email="", interactive=False, verbosity=0)
    names = [metric.name for metric in metrics(METRICS)]
    Series.objects.bulk_create(
        Series(device=device, metric=name, kind=0)
        for device, name in product(Device.objects.order_by("id"), names)
    )
    series = list(Series.objects.order_by("id").values_list("id", flat=True))
    engine = open_engine(settings.OPTIONS)
    try:
        _store(engine, series, readings)
    finally:
        engine.close()


def _store(engine: Engine, series: list[int], readings: int) -> None:
    steps = -(-readings // len(series))
    at_us = (time.time_ns() // 60_000_000_000 * 60 - AGO_S - steps * STEP_S) * 1_000_000
    waiting = Rows()
    unsealed = 0
    for step in range(steps):
        value = 20 + step % 97 / 10
        waiting += Rows([at_us] * len(series), series, [value] * len(series))
        at_us += STEP_S * 1_000_000
        if len(waiting) >= BATCH_READINGS or step == steps - 1:
            engine.begin([])
            engine.watermark()
            engine.insert(waiting, Rows())
            engine.commit()
            unsealed += len(waiting)
            waiting = Rows()
        if unsealed >= SEAL_EVERY_READINGS or step == steps - 1:
            while engine.seal(at_us):
                pass
            unsealed = 0


if __name__ == "__main__":
    fill(int(sys.argv[1]), Path(sys.argv[2]))
