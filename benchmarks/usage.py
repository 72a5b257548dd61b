"""What processes used, from /proc: CPU seconds, bytes written, peak memory. Linux only."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of process trees since they began; subtract two to know a span of time."""

    cpu_s: float = 0.0
    written_bytes: int = 0

    def __sub__(self, before: Usage) -> Usage:
        return Usage(self.cpu_s - before.cpu_s, self.written_bytes - before.written_bytes)

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.written_bytes + other.written_bytes)


def used(*roots: int) -> Usage:
    """By the trees of these processes; of children that ended, what their parents waited for."""
    total = Usage()
    for pid in _trees(roots):
        try:
            fields = _stat(pid)
            # What was given to write(). `write_bytes` would be the disk's, but Linux counts whole
            # folios there: 2 MB for a page of 4 kB on 6.18. Sockets are written to by send().
            written = _figure(_PROC / str(pid) / "io", "wchar:")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # User and system time, its own and of the children it waited for: proc(5), 14 to 17.
        total += Usage(sum(map(int, fields[11:15])) * TICK_S, written)
    return total


def peak_bytes(pid: int) -> int:
    """The most memory that a process had resident, VmHWM."""
    try:
        return _figure(_PROC / str(pid) / "status", "VmHWM:") * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0


def busy_s(core: int) -> float:
    """Seconds since boot in which `core` was not idle, whoever it worked for."""
    for line in (_PROC / "stat").read_text().splitlines():
        name, *figures = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, figures[:8])
            return (user + nice + system + irq + softirq + steal) * TICK_S
    raise LookupError(f"no core {core}")


def _trees(roots: tuple[int, ...]) -> set[int]:
    parents = {}
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = set(roots)
    while grown := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third; the second, a name, may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _figure(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
