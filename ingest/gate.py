"""Who is let in, and who is shown out: tokens are asked for in a thread of their own.

Once a connection, never for a frame, and not at all for who has shown too many wrong ones.
Revocation is polled, so it works with the channel layer gone, and in every hub process.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol, TypeVar

from django.db import DatabaseError, close_old_connections, connection, connections

from devices import tokens
from devices.tokens import Bearer, TokenRefused
from ingest import metrics
from ingest.clock import Clock
from ingest.failures import FailedTokens, Verdict
from ingest.fields import to_us

logger = logging.getLogger(__name__)


# Of one question: the database hangs then, and who comes after it would wait for it in vain.
ANSWER_WITHIN_S = 10.0
# Refusals that another time of day would not bring.
TIMED: Final = frozenset(("token_not_yet", "token_expired"))


def _keep_connection() -> None:
    """This thread's connection is kept, and looked at before each question.

    One a question is most of what letting in costs: of a thousand devices that come back to
    PostgreSQL together, the last waited 27 s so, and 6 s with one that stays.
    """
    kept = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    connection.settings_dict = connection.settings_dict | kept


T = TypeVar("T")


class Unavailable(Exception):
    """The database cannot be asked now."""


class TooManyFailures(Exception):
    """So many wrong tokens came from this address that no other is looked at yet."""

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__()
        self.retry_after_ms = retry_after_ms


class Guest(Protocol):
    """A connection that was let in with a token."""

    @property
    def bearer(self) -> Bearer | None: ...

    def show_out(self, refusal: TokenRefused) -> None:
        """Close: its token lets nobody in any longer. Called on the event loop."""


class Gate:
    """Asks for tokens in one thread, and every `interval_s` whether those inside still hold."""

    def __init__(
        self,
        interval_s: float,
        failed_per_min: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._interval_s = interval_s
        self._failed = FailedTokens(failed_per_min)  # of the executor's thread alone
        self._now = now
        self._executor = ThreadPoolExecutor(
            1, thread_name_prefix="weir-gate", initializer=_keep_connection
        )
        self._stopped = False
        self._asking_since_s: float | None = None  # set by the executor's thread alone
        self._guests: dict[int, set[Guest]] = {}
        # While this machine's clock is known to be wrong, no token is refused for the time.
        self.clock = Clock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="weir-gate")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._stopped = True
        self._executor.submit(connections.close_all)
        self._executor.shutdown(wait=False)

    async def admit(self, token: str, address: str) -> Bearer:
        """Whom a token lets in that is shown from `address`.

        Raises TokenRefused, TooManyFailures or Unavailable.
        """
        return await self._ask(lambda: self._admit(token, address, time.monotonic()))

    def _admit(self, token: str, address: str, now_s: float) -> Bearer:
        """One at a time: a crowd of wrong tokens finds those before it counted."""
        digest = tokens.digest(token)
        verdict = self._failed.look(digest, address, now_s)
        if verdict is Verdict.TOO_MANY:
            metrics.TOKENS.labels("limited").inc()
            wait_s = self._failed.retry_after_s(digest, address, now_s)
            raise TooManyFailures(round(1_000 * wait_s * random.uniform(1, 2)))
        if verdict is Verdict.KNOWN_WRONG:
            metrics.TOKENS.labels("wrong").inc()
            raise tokens.unknown(token)
        now = self._now()
        try:
            bearer = tokens.bearer(token, now)
        except TokenRefused as refusal:
            if self._is_doubtful(refusal, now):
                raise Unavailable("this machine's clock is wrong") from refusal
            self._count(refusal, digest, address, now_s)
            raise
        self._failed.admitted(digest)
        metrics.TOKENS.labels("admitted").inc()
        return bearer

    def _count(self, refusal: TokenRefused, digest: str, address: str, now_s: float) -> None:
        if refusal.code == "token_invalid":
            self._failed.wrong(digest, address, now_s)
            metrics.TOKENS.labels("wrong").inc()
        else:
            self._failed.refused(digest, now_s)
            metrics.TOKENS.labels("refused").inc()

    def enter(self, guest: Guest) -> None:
        assert guest.bearer is not None
        self._guests.setdefault(guest.bearer.token_id, set()).add(guest)

    def leave(self, guest: Guest) -> None:
        if guest.bearer is None:
            return
        guests = self._guests.get(guest.bearer.token_id, set())
        guests.discard(guest)
        if not guests:
            self._guests.pop(guest.bearer.token_id, None)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.look()
            except Unavailable:
                continue  # our trouble closes nobody
            except Exception:
                logger.exception("a bug in the watch for revoked tokens; it goes on")

    async def look(self) -> None:
        """Show out whoever's token no longer lets in. Raises Unavailable."""
        inside = list(self._guests)
        for start in range(0, len(inside), 500):
            some = inside[start : start + 500]
            refusals = await self._ask(partial(self._refused, some))
            for token_id, refusal in refusals.items():
                for guest in list(self._guests.get(token_id, ())):
                    guest.show_out(refusal)

    def _refused(self, token_ids: list[int]) -> dict[int, TokenRefused]:
        now = self._now()
        refused = tokens.refused(token_ids, now)
        return {
            token_id: refusal
            for token_id, refusal in refused.items()
            if not self._is_doubtful(refusal, now)
        }

    def _is_doubtful(self, refusal: TokenRefused, now: datetime) -> bool:
        return refusal.code in TIMED and self.clock.is_behind(to_us(now))

    async def _ask(self, question: Callable[[], T]) -> T:
        def asked() -> T:
            if self._stopped:
                raise Unavailable("the hub stops")
            self._asking_since_s = time.monotonic()
            try:
                close_old_connections()
                return question()
            except DatabaseError as error:
                raise Unavailable(str(error)) from error
            finally:
                self._asking_since_s = None

        since_s = self._asking_since_s
        if since_s is not None and time.monotonic() - since_s > ANSWER_WITHIN_S:
            raise Unavailable("the database does not answer")
        return await asyncio.get_running_loop().run_in_executor(self._executor, asked)
