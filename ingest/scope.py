"""What a connection's ASGI scope tells: its name, where it comes from, and the token it shows."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final

BEARER_SUBPROTOCOL: Final = "bearer."  # of browsers, which cannot set a header

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def address_of(scope: dict[str, Any]) -> str:
    """Where the connection comes from; empty for one without an address, a Unix socket's."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def name_of(scope: dict[str, Any]) -> str:
    """What the connection is called in the log; drawn here where nobody outside has."""
    return str(scope.get("connection") or secrets.token_hex(8))


def shown_token(scope: dict[str, Any]) -> str | None:
    """The token in the Authorization header, or in a subprotocol; never in the URL."""
    for name, value in scope.get("headers", ()):
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer" and token.strip():
                return str(token.strip(), "latin-1")
    for offered in scope.get("subprotocols") or ():
        if offered.startswith(BEARER_SUBPROTOCOL):
            return str(offered[len(BEARER_SUBPROTOCOL) :])
    return None
