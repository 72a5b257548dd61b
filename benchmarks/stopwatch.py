"""Measures this process's own spans of time."""

from __future__ import annotations

import time


class Stopwatch:
    """Time and CPU time of what is done within it, summed up."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self) -> None:
        self.wall_s -= time.perf_counter()
        self.cpu_s -= time.process_time()

    def __exit__(self, *exc: object) -> None:
        self.wall_s += time.perf_counter()
        self.cpu_s += time.process_time()
