"""The gate of those who read with a token, and of how many wrong ones an address may show.

Its rules are those of the devices' gate (`ingest.failures`), counted apart from it. One a process;
it travels in the ASGI scope, as the board does, so that no module has to hold it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.http import HttpRequest
from prometheus_client import Counter

from dashboards import readtokens
from dashboards.models import ReadToken
from dashboards.readtokens import ReadTokenRefused
from devices import tokens
from ingest.failures import FailedTokens, Verdict
from ingest.gate import TooManyFailures
from ingest.scope import Receive, Send

Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

READ_GATE_KEY: Final = "weir.read_gate"

SHOWN: Final = Counter("weir_read_tokens", "Read tokens shown, by what was said", ["outcome"])
for _outcome in ("admitted", "wrong", "refused", "limited"):
    SHOWN.labels(_outcome)


class ReadGate:
    """Asks the database for tokens, unless the address has shown too many. From any thread."""

    def __init__(
        self,
        failed_per_min: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        elapsed_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """0: without a limit."""
        # Not held while the database is asked: as many guesses as there are requests at once may
        # be looked at before the first of them counts.
        self._lock = threading.Lock()
        self._failed = FailedTokens(failed_per_min)
        self._now = now
        self._elapsed_s = elapsed_s

    def admit(self, text: str, address: str) -> ReadToken:
        """The token shown from `address`. Raises ReadTokenRefused or TooManyFailures."""
        digest = tokens.digest(text)
        self._look(text, digest, address)
        now = self._now()
        try:
            token = readtokens.find(text, now)
        except ReadTokenRefused as refused:
            self._count(refused, digest, address)
            raise
        with self._lock:
            self._failed.admitted(digest)
        SHOWN.labels("admitted").inc()
        readtokens.note_use(token, now)
        return token

    def _look(self, text: str, digest: str, address: str) -> None:
        with self._lock:
            now_s = self._elapsed_s()
            verdict = self._failed.look(digest, address, now_s)
            wait_s = self._failed.retry_after_s(digest, address, now_s)
        if verdict is Verdict.TOO_MANY:
            SHOWN.labels("limited").inc()
            raise TooManyFailures(round(1_000 * wait_s))
        if verdict is Verdict.KNOWN_WRONG:
            SHOWN.labels("wrong").inc()
            raise readtokens.unknown(text)

    def _count(self, refused: ReadTokenRefused, digest: str, address: str) -> None:
        with self._lock:
            if refused.known:
                self._failed.refused(digest, self._elapsed_s())
            else:
                self._failed.wrong(digest, address, self._elapsed_s())
        SHOWN.labels("refused" if refused.known else "wrong").inc()


# For requests that came by no hub: a test's client.
_UNLIMITED: Final = ReadGate(0)


def pages_with_read_gate(application: Application, gate: ReadGate) -> Application:
    """Django's HTTP application, its requests carrying the gate."""

    async def with_gate(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await application({**scope, READ_GATE_KEY: gate}, receive, send)

    return with_gate


def read_gate_of(request: HttpRequest) -> ReadGate:
    scope: dict[str, Any] = getattr(request, "scope", {})
    gate: ReadGate = scope.get(READ_GATE_KEY, _UNLIMITED)
    return gate
