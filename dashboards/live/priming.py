"""What the board reads from the database: who there is, every few seconds, and the whole fleet at
first, and whenever summaries were lost or something was erased.

Its loaders run one at a time in a thread of the board's own. Knows nothing of what they read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import Protocol

from dashboards.live.present import Known

logger = logging.getLogger(__name__)

RETRY_MIN_S, RETRY_MAX_S = 0.5, 10.0
# New, renamed and deleted devices show after this at the latest. And so often at most is the whole
# fleet read again, whatever is lost.
CATALOGUE_INTERVAL_S = 5.0

Load = Callable[[], Known]


class Merge(Protocol):
    """Is given what was read, and how many summaries had been applied before."""

    def __call__(self, known: Known, read_after: int, *, with_values: bool) -> None: ...


class Priming:
    """Reads and hands on what it read, for as long as `run` is not cancelled."""

    def __init__(
        self,
        executor: Executor,
        *,
        load_fleet: Load,
        load_catalogue: Load,
        applied: Callable[[], int],
        merge: Merge,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load_fleet` reads values too; `applied` says how many summaries were."""
        self._executor = executor
        self._load_fleet, self._load_catalogue = load_fleet, load_catalogue
        self._applied, self._merge = applied, merge
        self._elapsed = elapsed
        self._whole = asyncio.Event()

    def ask_whole(self) -> None:
        """The fleet is to be read again, with its values."""
        self._whole.set()

    async def run(self) -> None:
        whole, retry_s = True, RETRY_MIN_S
        while True:
            if whole:
                self._whole.clear()
            if not await self._load(whole):
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            retry_s = RETRY_MIN_S
            if whole:
                whole_s = self._elapsed()
            with suppress(TimeoutError):
                async with asyncio.timeout(CATALOGUE_INTERVAL_S):
                    await self._whole.wait()
            whole = self._whole.is_set()
            if whole:
                await asyncio.sleep(max(0.0, CATALOGUE_INTERVAL_S - (self._elapsed() - whole_s)))

    async def _load(self, whole: bool) -> bool:
        """Whether the database answered; what it knows is merged."""
        read_after = self._applied()
        load = self._load_fleet if whole else self._load_catalogue
        try:
            known = await asyncio.get_running_loop().run_in_executor(self._executor, load)
        except Exception as error:
            logger.warning("cannot read the fleet: %s; trying again in a moment", error)
            return False
        self._merge(known, read_after, with_values=whole)
        return True
