"""Prunes what `fill` stored, as if it were a day later; prints what came of it as JSON.

python -m benchmarks.prune_ahead      the database is DATABASE_URL's
"""

from __future__ import annotations

import json
import time
from typing import Final

from benchmarks import django_setup  # noqa: F401

from ingest.prune.run import prune  # isort: skip
from ingest.prune.turn import pause  # isort: skip
from ingest.retention import DAY_US, HOUR_US, Days, Rules  # isort: skip

RULES: Final = Rules.of(Days(readings=1), [])


def main() -> None:
    turns_s: list[float] = []

    def rest(held_s: float) -> None:
        turns_s.append(held_s)
        pause(held_s)

    began_s, cpu_s = time.monotonic(), time.process_time()
    # Row by row on PostgreSQL too: all of it is in one week, whose table would go later, at once.
    later_us = time.time_ns() // 1_000 + DAY_US - HOUR_US
    pruned = prune(RULES, later_us, rest, whole_tables=False)
    took = {"rows": pruned.rows["readings"], "took_s": time.monotonic() - began_s}
    spent = {"cpu_s": time.process_time() - cpu_s, "refused": len(pruned.refused)}
    print(json.dumps(took | spent | {"turns": len(turns_s), "longest_ms": 1e3 * max(turns_s)}))


if __name__ == "__main__":
    main()
