"""Who may see how the hub is: its own machine, and whoever shows `WEIR_METRICS_TOKEN`.

Around `/metrics`, and asked by `/readyz`, which tells everybody else yes or no. Behind
`project.proxies`: a header of a proxy that is still there is of one that is not trusted.
"""

from __future__ import annotations

import hmac
from typing import Final

from ingest.scope import address_of, shown_token
from project.address import is_loopback
from project.proxies import FORWARDING, Application, Receive, Scope, Send

REFUSAL: Final = b"Ask from the hub's own machine, or show WEIR_METRICS_TOKEN as a bearer token.\n"


class Details:
    """`token` lets in from anywhere; where there is none, only the machine's own are let in."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def shows_token(self, scope: Scope) -> bool:
        shown = shown_token({"headers": scope["headers"]}) or ""
        return bool(self._token) and hmac.compare_digest(self._token, shown.encode())

    def may_be_seen(self, scope: Scope) -> bool:
        if self.shows_token(scope):
            return True
        forwarded = any(name in FORWARDING for name, _ in scope["headers"])
        return is_loopback(address_of(scope)) and not forwarded

    def guard(self, application: Application) -> Application:
        """`application`, for those alone who may see details."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            await (application if self.may_be_seen(scope) else refuse)(scope, receive, send)

        return guarded


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(REFUSAL)),
        (b"www-authenticate", b"Bearer"),
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": REFUSAL})
