"""Seals what is stored, its minute over or not: what the hub would do when the clock gets there.

    python -m benchmarks.sealing BEFORE_US      the database is DATABASE_URL's

Run after a hub was stopped, on its core: its time and CPU count as the hub's.
"""

from __future__ import annotations

import json
import os
import sys

from benchmarks import django_setup  # noqa: F401
from benchmarks.stopwatch import Stopwatch
from benchmarks.usage import used

from django.conf import settings  # isort: skip

from ingest.fields import to_us  # isort: skip
from ingest.models import LineState  # isort: skip
from project.hub import open_engine  # isort: skip


def main(before_us: int) -> None:
    engine = open_engine(settings.OPTIONS)
    engine.ping()
    before = used(os.getpid())
    watch = Stopwatch()
    with watch:
        while engine.seal(before_us):
            pass
    engine.close()  # SQLite checkpoints the rest of its log, which counts as written
    written_bytes = (used(os.getpid()) - before).written_bytes
    assert to_us(LineState.objects.get().sealing_from) == before_us, "everything is sealed"
    print(
        json.dumps({"wall_s": watch.wall_s, "cpu_s": watch.cpu_s, "written_bytes": written_bytes})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
