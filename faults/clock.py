"""A hub's own clock, set from outside while it runs: libfaketime, loaded into it beforehand.

Only the time of day is false; what counts seconds (CLOCK_MONOTONIC) goes on as it should.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from faults import Missing


class FalseClock:
    """`options` are for the environment of a hub, whose clock is right until it is `set`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "clock"
        self.set(0)
        self.options: dict[str, Any] = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": self._file,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "FAKETIME_CACHE_DURATION": 1,  # s; to read it at each look costs seconds of a start
        }

    def set(self, ahead_s: float) -> None:
        """So many seconds ahead of the true time; negative: behind."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+.0f}\n")
        new.replace(self._file)

    def set_to_1970(self) -> None:
        self.set(-time.time())


def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Missing("libfaketime", "no libfaketimeMT.so.1 found: install libfaketime")
    return found[0]
