"""How many passwords an address may guess: counted before Django is asked.

Checking a password takes a good part of a second of a processor on purpose: whoever guesses would
not only find one some day, but take the hub's core from devices and pages until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import Any, Final

from prometheus_client import Counter

from ingest.failures import Allowances, network_of
from ingest.scope import address_of
from project.proxies import Application, Receive, Scope, Send

LIMITED: Final = Counter("weir_logins_limited", "Logins that were not looked at: too many failed")
LOGIN_PATHS: Final = frozenset({"/accounts/login/", "/admin/login/"})
WRONG: Final = 200  # the form again; who is let in is sent on, and a forged form is 403


class Guesses:
    """Charges each attempt to log in when it begins; one whose password was not wrong is free."""

    def __init__(self, per_min: int, now_s: Callable[[], float] = time.monotonic) -> None:
        """0: without a limit."""
        self._allowances = Allowances(per_min)
        self._now_s = now_s

    def guard(self, application: Application) -> Application:
        """`application`, with what it has under LOGIN_PATHS limited."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["method"] == "POST" and scope["path"] in LOGIN_PATHS:
                await self._log_in(application, scope, receive, send)
            else:
                await application(scope, receive, send)

        return guarded

    async def _log_in(
        self, application: Application, scope: Scope, receive: Receive, send: Send
    ) -> None:
        payer = network_of(address_of(scope))
        wait_s = ceil(self._allowances.wait_s(payer, self._now_s()))
        if wait_s:
            LIMITED.inc()
            await _refuse(send, wait_s)
            return

        async def watched(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] != WRONG:
                self._allowances.spend(payer, self._now_s(), -1)
            await send(message)

        self._allowances.spend(payer, self._now_s())
        await application(scope, receive, watched)


async def _refuse(send: Send, wait_s: int) -> None:
    body = f"Too many wrong passwords came from your address. Try again in {wait_s} s.\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % wait_s),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
