"""What several hubs on one PostgreSQL cost, beside one hub under the same load.

    python -m benchmarks.hubs [--processes 1 2 4] [--rate FRAMES_PER_S] [--shape NAME] …

A fixed load, below what one hub could take, is spread over 1, 2 and 4 hubs of one `runhub
--processes`, with PostgreSQL and Redis, all of them on the server's core. Wanted: CPU seconds per
million readings within 15 % of each other. docs/scaling.md works with the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import Trouble, servers
from benchmarks.databases import DATABASES, Database
from benchmarks.machine import cores, described, pinned
from benchmarks.programs import keep, say
from benchmarks.runs import hub_run
from benchmarks.shapes import SHAPES, by_name
from benchmarks.timeline import Timeline
from tests.servers import Redis, find_redis

LATEST: Final = Path("benchmarks/results/hubs.json")
WANTED: Final = 0.15
"""By how much the dearest may be above the cheapest."""
STARTUP_S: Final = 15.0
"""Four hubs on one core take so long to start, and to read the fleet for their boards."""
PARTS: Final = ("server", "database", "redis", "sealing")


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: CPU seconds a million readings, by who spent them."""

    processes: int
    readings_per_s: float
    ack_p50_ms: float
    ack_p99_ms: float
    cpu: dict[str, float]
    foreign: float
    """The share of the server's core that went to other programs."""

    @property
    def total(self) -> float:
        return sum(self.cpu.values())


class PinnedRedis(Redis):
    """On the server's core."""

    core = 0

    def command(self) -> list[str]:
        return pinned(self.core, super().command())

    @property
    def pid(self) -> int:
        """Of its keeper, whose only child it is."""
        assert self._keeper is not None
        return self._keeper.pid


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    measured: list[Figures] = []
    chosen = cores()
    machine = described(chosen)
    try:
        program = find_redis()
        if program is None:
            raise Trouble("Redis is not installed.")
        with DATABASES["postgresql"](options.stored, chosen, say) as database:
            PinnedRedis.core = chosen.server
            with PinnedRedis(program) as redis:
                _measure(options, database, redis, measured)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
    if not measured:
        return 1
    rows = medians(measured)
    apart = spread(rows)
    about = {"machine": machine, "options": vars(options) | {"json": str(options.json)}}
    runs = [asdict(figures) for figures in measured]
    keep(options.json, about | {"apart": apart, "runs": runs})
    print(f"{table(rows)}\n\nThe dearest is {apart:.1%} above the cheapest; wanted: {WANTED:.0%}.")
    return 0 if apart <= WANTED else 1


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hubs",
        description="What several hubs cost. docs/scaling.md reads the table.",
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", default=LATEST, help=f"every figure ({LATEST})")
    add("--processes", type=int, nargs="+", default=[1, 2, 4])
    add("--shape", choices=[shape.name for shape in SHAPES], default="samples")
    add("--rate", type=float, default=400.0, help="frames a second, of all devices together")
    add("--seconds", type=float, default=15.0, help="of one run")
    add("--repetitions", type=int, default=2)
    add("--stored", type=int, default=1_000_000, help="readings stored already")
    return parser.parse_args(arguments)


def _measure(
    options: argparse.Namespace, database: Database, redis: PinnedRedis, measured: list[Figures]
) -> None:
    timeline = Timeline(time.time())
    for repetition in range(options.repetitions):
        order = options.processes if repetition % 2 == 0 else options.processes[::-1]
        for processes in order:
            figures = _one(options, database, redis, timeline, processes)
            measured.append(figures)
            say(table([figures]).splitlines()[-1])


def _one(
    options: argparse.Namespace,
    database: Database,
    redis: PinnedRedis,
    timeline: Timeline,
    processes: int,
) -> Figures:
    shape = by_name(options.shape)
    serve = partial(servers.hubs, processes=processes, redis_url=redis.url)
    sent, sealed, _ = hub_run(
        *(database, timeline, shape, options.seconds, options.rate / shape.devices, serve),
        beside={"redis": (redis.pid,)},
        startup_s=STARTUP_S,
    )
    spent = {name: usage.cpu_s for name, usage in sent.parts.items()} | {"sealing": sealed["cpu_s"]}
    return Figures(
        processes=processes,
        readings_per_s=float(sent.result["readings_per_s"]),
        ack_p50_ms=float(sent.result["ack_p50_ms"]),
        ack_p99_ms=float(sent.result["ack_p99_ms"]),
        cpu={name: seconds / sent.readings * 1e6 for name, seconds in spent.items()},
        foreign=sent.foreign,
    )


def medians(measured: Sequence[Figures]) -> list[Figures]:
    """One row for each number of processes."""
    found: dict[int, list[Figures]] = defaultdict(list)
    for figures in measured:
        found[figures.processes].append(figures)
    return [
        Figures(
            processes=processes,
            readings_per_s=median(one.readings_per_s for one in runs),
            ack_p50_ms=median(one.ack_p50_ms for one in runs),
            ack_p99_ms=median(one.ack_p99_ms for one in runs),
            cpu={part: median(one.cpu[part] for one in runs) for part in PARTS},
            foreign=median(one.foreign for one in runs),
        )
        for processes, runs in sorted(found.items())
    ]


def spread(rows: Sequence[Figures]) -> float:
    """By how much the dearest is above the cheapest."""
    totals = [row.total for row in rows]
    return max(totals) / min(totals) - 1


def table(rows: Sequence[Figures]) -> str:
    head = (
        "processes  readings/s  CPU s/M     hubs  PostgreSQL    Redis  sealing"
        "  ack p50 p99 ms  others"
    )
    lines = [
        f"{row.processes:>9}  {row.readings_per_s:>10,.0f}  {row.total:>7.2f}"
        f"  {row.cpu['server']:>7.2f}  {row.cpu['database']:>10.2f}  {row.cpu['redis']:>7.2f}"
        f"  {row.cpu['sealing']:>7.2f}  {row.ack_p50_ms:>7.1f} {row.ack_p99_ms:>6.1f}"
        f"  {row.foreign:>6.0%}"
        for row in rows
    ]
    return "\n".join([head, *lines])


if __name__ == "__main__":
    sys.exit(main())
