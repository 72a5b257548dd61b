"""What the programs that measure have in common: which engines, and where their figures go."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import Trouble
from benchmarks.databases import DATABASES, Database
from benchmarks.machine import cores, described


def each_engine(
    program: str,
    about: str,
    latest: Path,
    name: str,
    arguments: Sequence[str] | None,
    measured: Callable[[Database], Iterable[dict[str, Any]]],
    table: Callable[[Sequence[dict[str, Any]]], str],
) -> int:
    """A whole program that measures on each engine's database, filled beforehand, and says a table.

    `name` is what the rows are called in the file of figures, `latest` unless --json says another.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{program}", description=about)
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", default=latest, help=f"every figure ({latest})")
    add("--readings", type=int, default=1_000_000, help="default: 1,000,000")
    add("--engine", action="append", choices=DATABASES, help="only this one (may be repeated)")
    options = parser.parse_args(arguments)
    found: list[dict[str, Any]] = []
    try:
        machine = described(cores())
        for engine in options.engine or list(DATABASES):
            with DATABASES[engine](options.readings, cores(), say) as database:
                found += measured(database)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    keep(options.json, {"machine": machine, name: found})
    print(f"{heading(machine)}\n\n{table(found)}")
    return 0


def keep(path: Path, figures: Mapping[str, object]) -> None:
    """Write all that was found to `path`, for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n")


def heading(machine: Mapping[str, object]) -> str:
    """What stands above a table: on what, and beside how much else, it was measured."""
    return f"{machine['processor']}, load {os.getloadavg()[0]:.1f}"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
