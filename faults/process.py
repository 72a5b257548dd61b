"""What a process holds at a moment, from /proc: memory, descriptors, threads. Linux only."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Held(NamedTuple):
    memory_bytes: int
    """Resident, VmRSS."""
    descriptors: int
    threads: int


def held(pid: int) -> Held:
    proc = Path("/proc") / str(pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return Held(
        int(status["VmRSS"].split()[0]) * 1024,
        sum(1 for _ in (proc / "fd").iterdir()),
        int(status["Threads"]),
    )


def peak_bytes(pid: int) -> int:
    """The most it ever had resident, VmHWM."""
    status = (Path("/proc") / str(pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
