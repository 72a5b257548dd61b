"""The command line, and the order of the measurements.

Each repetition goes through all rows, and every other one goes backwards: what the machine does
besides, or does more of as it gets warm, meets every kind of run alike.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks import Trouble, runs, servers
from benchmarks.databases import DATABASES, Database
from benchmarks.figures import KINDS, Figures, Kind, Run, rows
from benchmarks.machine import Cores, cores, described
from benchmarks.programs import keep, say
from benchmarks.report import as_json, table
from benchmarks.runs import Lengths
from benchmarks.shapes import SHAPES, Shape
from benchmarks.timeline import Timeline

LATEST: Final = Path("benchmarks/results/latest.json")
FULL: Final = Lengths(usual_s=4, closed_s=10, open_s=6, bare_readings=2_000_000)
QUICK: Final = Lengths(usual_s=2, closed_s=4, open_s=2, bare_readings=600_000)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    began_s, measured, status = time.monotonic(), list[Run](), 0
    try:
        chosen = cores()
        machine = described(chosen)
        _measure(options, chosen, measured)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    if measured:  # what was measured before trouble came is worth its time
        _report(options, machine, measured, time.monotonic() - began_s)
    return status


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What the hub carries on this machine. docs/benchmarks.md reads the table.",
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", default=LATEST, help=f"every figure ({LATEST})")
    add("--quick", action="store_true", help="under two minutes: SQLite, once, shorter, smaller")
    add("--engine", action="append", choices=DATABASES, help="only this one (may be repeated)")
    add("--shape", action="append", choices=[shape.name for shape in SHAPES])
    add("--kind", action="append", choices=KINDS)
    add("--repetitions", type=int, help="default: 3, quick: 1")
    add(
        "--stored", type=int, help="readings stored already (default: 10,000,000; quick: 1,000,000)"
    )
    options = parser.parse_args(arguments)
    options.lengths = QUICK if options.quick else FULL
    options.repetitions = options.repetitions or (1 if options.quick else 3)
    options.stored = options.stored or (1_000_000 if options.quick else 10_000_000)
    options.engine = options.engine or (["sqlite"] if options.quick else list(DATABASES))
    options.kind = options.kind or [k for k in KINDS if not (options.quick and k == "uvicorn")]
    options.shapes = [s for s in SHAPES if not options.shape or s.name in options.shape]
    return options


def _measure(options: argparse.Namespace, chosen: Cores, measured: list[Run]) -> None:
    for repetition in range(options.repetitions):
        order = options.engine if repetition % 2 == 0 else options.engine[::-1]
        for engine in order:
            with DATABASES[engine](options.stored, chosen, say) as database:
                _round(options, database, repetition, measured)


def _report(
    options: argparse.Namespace, machine: dict[str, object], measured: list[Run], seconds: float
) -> None:
    found = rows(measured, SHAPES, options.engine)
    plan = {
        "stored": options.stored,
        "repetitions": options.repetitions,
        "quick": options.quick,
        "seconds": round(seconds),
    }
    keep(options.json, as_json(found, measured, machine, plan))
    print(f"{_heading(machine, plan)}\n\n{table(found)}")


def _round(
    options: argparse.Namespace, database: Database, repetition: int, measured: list[Run]
) -> None:
    """All rows of one engine, once."""
    timeline = Timeline(time.time())
    wanted = [(shape, kind) for shape in options.shapes for kind in options.kind]
    for shape, kind in wanted if repetition % 2 == 0 else wanted[::-1]:
        if shape.like and kind not in {"hub", "uvicorn"}:
            continue  # the other shape's are its own
        figures = _one(database, timeline, shape, kind, options.lengths)
        measured.append(Run(database.name, shape.name, kind, repetition, figures))
        say(
            f"{repetition + 1}/{options.repetitions} {database.title}, {shape.title}, {kind}:"
            f" {figures.readings_per_s:,.0f} readings/s,"
            f" {figures.cpu_s_per_million:,.2f} CPU s a million"
        )


def _one(
    database: Database, timeline: Timeline, shape: Shape, kind: Kind, lengths: Lengths
) -> Figures:
    if kind == "usual":
        return runs.measure_usual(database, shape, lengths)
    if kind == "uvicorn":
        return runs.measure_hub(database, timeline, shape, lengths, servers.hub_by_uvicorn)
    if kind == "hub":
        return runs.measure_hub(database, timeline, shape, lengths)
    return runs.measure_bare(database, timeline, shape, lengths)


def _heading(machine: dict[str, object], plan: dict[str, object]) -> str:
    return (
        f"{machine['processor']}, server on core {machine['server_core']}, client on core"
        f" {machine['client_core']}; {plan['stored']:,} readings stored before;"
        f" medians of {plan['repetitions']}; {plan['seconds']} s; commit {machine['commit']}"
    )
