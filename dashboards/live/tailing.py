"""Reads tails for the board, in its thread, for a bounded share of the time.

A database that is away or hangs holds up no update: tails are read at a later tick, and whoever has
waited too long fetches history. Knows nothing of what a tail is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

from dashboards.live.duty import Duty
from dashboards.live.lines import Wanted
from dashboards.live.tails import Tails

logger = logging.getLogger(__name__)

SHARE: Final = 0.1
"""Of the time. Reading and storing share a machine, and storing comes first."""
KEPT_S: Final = 0.2
"""What a tick may spend at once: an update that brings tails is late by so much."""
WITHIN_S: Final = 1.0
"""An update waits no longer for its tails."""
MOST: Final = 250
"""Series of one statement."""

LoadTails = Callable[[Sequence[Wanted]], Sequence[str | None]]


class Tailing:
    """All on the event loop but the loader."""

    def __init__(
        self, tails: Tails, load: LoadTails, executor: Executor, elapsed: Callable[[], float]
    ) -> None:
        """`load` gives the text of each tail, in the order asked for; None where there is none."""
        self.read = 0
        self.seconds = 0.0
        self._tails, self._load = tails, load
        self._executor, self._elapsed = executor, elapsed
        self._duty = Duty(SHARE, KEPT_S, elapsed())
        self._reading: asyncio.Task[None] | None = None
        self._failing = False

    async def at(self, tick_ms: int) -> None:
        """Read what changed by that tick, as far as there is time for."""
        if self._reading is not None and not self._reading.done():
            return
        wanted = self._tails.to_read(min(self._duty.affords(self._elapsed()), MOST))
        if wanted:
            reading = self._read(wanted, tick_ms)
            self._reading = asyncio.create_task(reading, name="board-tails")
            await asyncio.wait([self._reading], timeout=WITHIN_S)

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, wanted: list[Wanted], tick_ms: int) -> None:
        began_s = self._elapsed()
        loop = asyncio.get_running_loop()
        try:
            texts = await loop.run_in_executor(self._executor, self._load, wanted)
        except Exception as error:
            if not self._failing:
                logger.warning("cannot read what charts end in: %s; they fetch history", error)
            self._failing = True
        else:
            self._failing = False
            self.read += len(wanted)
            self._tails.take(zip(wanted, texts, strict=True), tick_ms)
        took_s = self._elapsed() - began_s
        self.seconds += took_s
        self._duty.spend(len(wanted), took_s)
