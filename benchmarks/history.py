"""What the history of a year costs, on either engine, beside its raw readings.

    python -m benchmarks.history [--quick] [--engine sqlite|postgresql] [--json FILE]

Each engine has a database of its own, made for the run and thrown away after it: a file, or a
private server with its default settings. What is done in it is in `benchmarks.year`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks import Trouble
from benchmarks.databases import BENCH, run
from benchmarks.machine import cores, described
from benchmarks.programs import heading, keep
from benchmarks.report import TITLES
from tests.servers import Postgres, find_postgres

LATEST: Final = Path("benchmarks/results/history.json")
WANTED_MS: Final = 50
WANTED_TIMES: Final = 200
WANTED_OF: Final = "a year"
DAYS, QUICK_DAYS = 366, 31
REPEATS, QUICK_REPEATS = 41, 9
HEAD: Final = (
    *("engine", "range", "readings", "buckets", "made of"),
    *("warm ms p50 p95", "CPU ms", "new connection", "raw ms", "×raw"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parsed(arguments)
    days, repeats = (QUICK_DAYS, QUICK_REPEATS) if options.quick else (DAYS, REPEATS)
    found: dict[str, Any] = {}
    try:
        machine = described(cores())
        for engine in options.engine:
            print(f"{TITLES[engine]}: {days} days of a reading a second", file=sys.stderr)
            with _database(engine) as url:
                found[engine] = _year(url, days, repeats)
    except Trouble as trouble:
        print(trouble, file=sys.stderr)
        return 1
    plan = {"days": days, "repeats": repeats, "at_end": time.time()}
    said = {"machine": machine, "plan": plan, "engines": found}
    keep(options.json, said)
    print(f"{heading(machine)}\n\n{table(found)}")
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.history",
        description="What the history of a year costs. docs/benchmarks.md reads the table.",
    )
    add = parser.add_argument
    add("--json", type=Path, metavar="FILE", default=LATEST, help=f"every figure ({LATEST})")
    add("--quick", action="store_true", help="a month in place of a year")
    add("--engine", action="append", choices=TITLES, help="only this one (may be repeated)")
    options = parser.parse_args(arguments)
    options.engine = options.engine or list(TITLES)
    return options


@contextmanager
def _database(engine: str) -> Iterator[str]:
    """The URL of an empty database of this engine, which goes at the end."""
    if engine == "sqlite":
        folder = BENCH / "history"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield f"sqlite:///{folder / 'weir.sqlite3'}"
        finally:
            shutil.rmtree(folder)
        return
    programs = find_postgres()
    if programs is None:
        raise Trouble("PostgreSQL is not installed; `--engine sqlite` leaves it out.")
    with Postgres(programs) as server:
        yield server.url


def _year(url: str, days: int, repeats: int) -> Any:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WEIR_", "REDIS_URL"))}
    environment = kept | {"DATABASE_URL": url, "WEIR_DATA_DIR": str(BENCH)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "-m", "benchmarks.year", str(days), str(repeats)]
    return json.loads(run(command, environment).splitlines()[-1])


def table(found: dict[str, Any]) -> str:
    """One line a range; `!` marks a wanted figure that was not reached."""
    lines: list[tuple[str, ...]] = [HEAD]
    for engine, figures in found.items():
        lines += [_line(engine, name, of) for name, of in figures["ranges"].items()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    aligned = [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    filled = [
        f"{TITLES[engine]}: {figures['readings']:,} readings stored as a back-fill,"
        f" {figures['back_fill_readings_per_s']:,.0f} a second"
        for engine, figures in found.items()
    ]
    return "\n".join([*aligned, "", *filled])


def _line(engine: str, name: str, of: dict[str, Any]) -> tuple[str, ...]:
    wanted = name == WANTED_OF
    slow = " !" if wanted and of["warm_p95_ms"] > WANTED_MS else ""
    few = " !" if wanted and of["times_raw"] < WANTED_TIMES else ""
    return (
        TITLES[engine],
        name,
        f"{of['readings']:,}",
        f"{of['buckets']:,}",
        of["source"],
        f"{of['warm_median_ms']:.1f} {of['warm_p95_ms']:.1f}{slow}",
        f"{of['cpu_ms']:.1f}",
        f"{of['cold_median_ms']:.1f} {of['cold_p95_ms']:.1f}",
        f"{of['raw_ms']:,.0f}",
        f"{of['times_raw']:,.3g}{few}",
    )


if __name__ == "__main__":
    raise SystemExit(main())
