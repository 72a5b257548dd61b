"""The command line: makes the faults that are named, or all, and prints their table.

What fails is told with the seed that repeats it, and the others are still made.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from faults import BOTH, ROOT, Fault, Missing, Row
from faults.catalogue import catalogue
from faults.ground import Ground
from faults.place import Place
from faults.table import as_json, cells, replaced, table

LOG_END = 2_000
PAGE = ROOT / "docs/reliability.md"


def main(arguments: Sequence[str] | None = None) -> int:
    found = catalogue()
    options = _parsed(arguments, found)
    rows: list[Row] = []
    failed: list[str] = []
    began_s = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="weir-faults-") as name, Ground(Path(name)) as it:
            _make_all(options, found, it, rows, failed)
    except KeyboardInterrupt:
        failed.append("interrupted")
    print(table(map(cells, rows)))
    if options.json:
        run = _described(options, time.monotonic() - began_s)
        options.json.write_text(json.dumps(as_json(rows, run), indent=1) + "\n")
    if options.write:
        PAGE.write_text(replaced(PAGE.read_text(), rows))
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def make(
    name: str, fault: Fault, engine: str, ground: Ground, folder: Path, *, short: bool, seed: int
) -> list[Row]:
    """Make one fault on one engine; what it raises says how to do the same again."""
    try:
        with Place(fault.TITLE, engine, ground, folder, short=short, seed=seed) as place:
            try:
                return fault.run(place)
            except Exception as error:
                for hub in place.hubs:
                    error.add_note(f"the hub's log ends:\n{hub.log[-LOG_END:]}")
                raise
    except Exception as error:
        form = "--short " if short else ""
        error.add_note(f"again: python -m faults {form}--engine {engine} --seed {seed} {name}")
        raise


def _make_all(
    options: argparse.Namespace,
    found: dict[str, Fault],
    ground: Ground,
    rows: list[Row],
    failed: list[str],
) -> None:
    for name in options.names or found:
        for engine in found[name].ENGINES:
            if options.engine and engine not in options.engine:
                continue
            began_s, folder = time.monotonic(), ground.folder / f"{name}-{engine}"
            try:
                rows += make(
                    *(name, found[name], engine, ground, folder),
                    short=options.short,
                    seed=options.seed,
                )
            except Missing as missing:
                _say(f"{name}, {engine}: left out: {missing.group}: {missing}")
            except Exception as error:
                _say(traceback.format_exc())
                why = f"{type(error).__name__}: {error}".partition("\n")[0]
                failed.append(f"FAILED: {name}, {engine}, seed {options.seed}: {why}"[:500])
            _say(f"{name}, {engine}: {time.monotonic() - began_s:.0f} s")


def _parsed(arguments: Sequence[str] | None, found: dict[str, Fault]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="What goes wrong, made to go wrong. docs/reliability.md reads the table.",
        epilog="faults: " + ", ".join(found),
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="FAULT", help="only these (default: all)")
    add("--short", action="store_true", help="seconds instead of minutes each, as the tests do")
    add("--engine", action="append", choices=BOTH, help="only on this one (may be repeated)")
    add("--seed", type=int, default=random.randrange(10**6), help="what is random, once more")
    add("--json", type=Path, metavar="FILE", help="every figure, for programs")
    add("--write", action="store_true", help=f"put the rows into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in found]
    if unknown:
        parser.error(f"no fault is called {unknown[0]}: there are {', '.join(found)}")
    return options


def _described(options: argparse.Namespace, seconds: float) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "short": options.short,
        "seed": options.seed,
        "seconds": round(seconds),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
