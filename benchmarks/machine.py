"""The machine: its two cores, one for the server and one for the client, and what it is."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from benchmarks import ROOT, Trouble


class Cores(NamedTuple):
    server: int
    client: int


def cores() -> Cores:
    """The last core that is ours for the server, the first for the client."""
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2:
        raise Trouble("The benchmark needs two cores: one for the server, one for the client.")
    return Cores(ours[-1], ours[0])


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """`command` on `core`, with all that it starts."""
    return ["taskset", "--cpu-list", str(core), *command]


def described(chosen: Cores) -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "server_core": chosen.server,
        "client_core": chosen.client,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_average": os.getloadavg(),
        **{name: version(name) for name in ("django", "channels", "daphne", "psycopg")},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip()
