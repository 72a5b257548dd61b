"""How the database is, as the writer last met it: what is wrong, and what a power cut would take.

Written by the writer's thread alone, read by any. Says each change in the log, once.
"""

from __future__ import annotations

import logging

from ingest.storage.trouble import Reason, Trouble

logger = logging.getLogger(__name__)


class Condition:
    """See the module. Well until it meets something."""

    def __init__(self) -> None:
        self.trouble: Reason | None = None  # while the database cannot be written
        # Why a power cut might lose what is acked, where a hub was told to live with that.
        self.weakness: str | None = None

    @property
    def is_damaged(self) -> bool:
        """The database is damaged: nothing is written any more, until a hub is started anew."""
        return self.trouble is Reason.DAMAGED

    def meet(self, error: Exception) -> None:
        """Say once what it is. Damage stays: what would be read next may be wrong."""
        if self.is_damaged:
            return
        reason = error.reason if isinstance(error, Trouble) else Reason.OTHER
        if reason is Reason.DAMAGED:
            logger.critical("%s, and nothing more is written: %s", reason, error)
        elif reason is not self.trouble:
            logger.error("%s, acks wait: %s", reason, error)
        self.trouble = reason

    def recovered(self, weakness: str | None) -> None:
        """It has just taken a write, with this weakness."""
        if self.is_damaged:
            return
        if self.trouble is not None:
            logger.warning("the database can be written again")
        self.trouble = None
        if weakness is not None and weakness != self.weakness:
            logger.warning("what is acked may be lost: %s", weakness)
        self.weakness = weakness
