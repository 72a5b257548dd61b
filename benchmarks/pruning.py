"""What a prune costs, and what devices notice of it.

    python -m benchmarks.pruning [--readings 1000000] [--engine sqlite|postgresql] [--json FILE]

A real hub with its defaults, and one device that sends a frame as soon as the one before it is
acked, with a prune of all that is old and without.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import ROOT, Trouble
from benchmarks.databases import Database
from benchmarks.export import acks_of, ends
from benchmarks.programs import each_engine
from benchmarks.servers import hub

LATEST: Final = Path("benchmarks/results/pruning.json")
QUIET_S: Final = 5.0
GRACE_S: Final = 10.0
PRUNE_S: Final = 200.0
HEAD: Final = (
    "engine",
    "rows",
    "rows/s",
    "CPU s",
    "turns",
    "longest ms",
    "ack ms p50 p99 max",
    "without",
)


def main(arguments: Sequence[str] | None = None) -> int:
    about = "What a prune costs. docs/decisions/retention.md reads the table."
    return each_engine("pruning", about, LATEST, "prunes", arguments, _measured, table)


def _measured(database: Database) -> list[dict[str, Any]]:
    with hub(database, GRACE_S) as server:
        with acks_of(database, server) as alone_ms:
            time.sleep(QUIET_S)
        with acks_of(database, server) as acks_ms:
            came = _pruned(database)
    return [
        {
            "engine": database.name,
            **came,
            "alone_ms": (*ends(alone_ms), max(alone_ms)),
            "ack_ms": (*ends(acks_ms), max(acks_ms)),
        }
    ]


def _pruned(database: Database) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.prune_ahead"],
        env=database.environment(database.hub_url),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PRUNE_S,
        check=False,
    )
    if done.returncode:
        raise Trouble(f"The prune failed:\n{done.stderr[-2000:]}")
    came: dict[str, float] = json.loads(done.stdout)
    return came


def table(found: Sequence[dict[str, Any]]) -> str:
    """One line an engine."""
    lines = [HEAD, *map(_line, found)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )


def _line(of: dict[str, Any]) -> tuple[str, ...]:
    return (
        of["engine"],
        f"{of['rows']:,}",
        f"{of['rows'] / of['took_s']:,.0f}",
        f"{of['cpu_s']:.1f}",
        f"{of['turns']:,}",
        f"{of['longest_ms']:.1f}",
        "{:.1f} {:.1f} {:.1f}".format(*of["ack_ms"]),
        "{:.1f} {:.1f} {:.1f}".format(*of["alone_ms"]),
    )


if __name__ == "__main__":
    raise SystemExit(main())
