"""What the writer does between batches: it looks at the clock and at the database, and seals.

On the writer's thread and connection. A minute is sealed once this machine's clock is known to be
right, for what is over by a wrong one is sealed too early.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from ingest.clock import Clock
from ingest.condition import Condition
from ingest.delivery import Delivery
from ingest.storage import Damaged, Engine, Poison, Trouble

logger = logging.getLogger(__name__)

SEAL_LOOK_S: Final = 1.0  # how often it looks whether a minute has closed
# Sealing goes on for so long after a batch while more is due: a batch of 20,000 readings is written
# in half of it, so what is due never grows, and an ack waits at most one step more.
SEAL_SLOT_S: Final = 0.04
MINUTE_US: Final = 60_000_000


class Upkeep:
    """See the module. `deliver` is told when the newest commit was looked for."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        condition: Condition,
        seal_grace_s: float,
        now_us: Callable[[], int],
        deliver: Callable[[Delivery], None],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._condition = condition
        self._grace_us = round(seal_grace_s * 1_000_000)
        self._now_us = now_us
        self._deliver = deliver
        self._look_s = 0.0
        self._more_due = False
        self._said = ""  # of what sealing last met

    def is_due(self, now_s: float) -> bool:
        return self._more_due or now_s >= self._look_s

    def look_up_clock(self) -> None:
        """Learn from the database when the newest commit was; while in doubt, again and again."""
        was_known = self._clock.is_known
        try:
            self._clock.learn(self._engine.newest_commit_us())
        except Trouble as error:
            self._condition.meet(error)
        except Exception:
            logger.exception("a bug in looking for the newest commit; the clock is taken as right")
            self._clock.learn(0)
        if not was_known:
            self._deliver(Delivery(looked=True))

    def can_write(self) -> bool:
        """Ask the database; to be called while no batch waits that would find out."""
        try:
            self._engine.ping()
        except Exception as error:
            self._condition.meet(error)
            return False
        self._condition.recovered(self._engine.weakness)
        return True

    def seal(self, batch_waits: bool) -> None:
        """Some steps of sealing, if they are due and the database is well."""
        now_s = time.monotonic()
        if not self.is_due(now_s):
            return
        self._look_s = now_s + SEAL_LOOK_S
        if not self._clock.is_known or self._clock.is_behind(self._now_us()):
            self.look_up_clock()  # what is over by this clock is sealed, or never was
            self._more_due = False
        elif self._condition.trouble is not None and (batch_waits or not self.can_write()):
            self._more_due = False
        else:
            self._seal_some(now_s + SEAL_SLOT_S)

    def _seal_some(self, until_s: float) -> None:
        before_us = (self._now_us() - self._grace_us) // MINUTE_US * MINUTE_US
        try:
            self._more_due = self._engine.seal(before_us)
            while self._more_due and time.monotonic() < until_s:
                self._more_due = self._engine.seal(before_us)
            self._said = ""
        except Damaged as error:
            self._more_due = False
            self._condition.meet(error)
        except Exception as error:
            self._more_due = False
            if self._said != str(error):
                self._said = str(error)
                known = isinstance(error, Trouble | Poison)
                logger.warning("sealing waits: %s", error, exc_info=None if known else error)
