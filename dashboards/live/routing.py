"""How `/ws/live/` is reached: an Origin of ours, a session, then the consumer.

And how pages find the board: it travels in the ASGI scope, so that no module has to hold it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlparse

from channels.security.websocket import OriginValidator
from channels.sessions import CookieMiddleware, SessionMiddleware
from django.conf import settings
from django.http import HttpRequest

from dashboards.live.board import Board
from dashboards.live.consumer import (
    FORBIDDEN,
    Application,
    LiveConsumer,
    Message,
    Receive,
    Send,
    say_and_close,
)
from dashboards.live.logins import Logins

ANY = "*"
BOARD_KEY = "weir.board"


class Origins(OriginValidator):
    """Channels' check of the Origin, but one that tells the browser what is wrong.

    Where every host is allowed (`*`), a page must still be of the host that it connects to.
    """

    def __init__(self, application: Application, allowed: Sequence[str]) -> None:
        super().__init__(application, [origin for origin in allowed if origin != ANY])
        self.guarded = application
        self._any_host = ANY in allowed

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def refuse(scope: Message, receive: Receive, send: Send) -> None:
            await receive()  # websocket.connect
            await send({"type": "websocket.accept"})
            message = (
                "This page's address is not one of WEIR_ALLOWED_HOSTS or WEIR_ALLOWED_ORIGINS."
            )
            await say_and_close(send, FORBIDDEN, "foreign_origin", message)

        origin = parsed_origin(scope)
        known = self.valid_origin(origin) or (self._any_host and is_own(origin, scope))
        await (self.guarded if known else refuse)(scope, receive, send)


def parsed_origin(scope: Message) -> Any:
    for name, value in scope.get("headers", []):
        if name == b"origin":
            return urlparse(value.decode("latin-1"))
    return None


def is_own(origin: Any, scope: Message) -> bool:
    """Whether a page of this origin came from the host that it now connects to."""
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return origin is not None and bool(origin.netloc) and [origin.netloc] == hosts


def live_application(board: Board, logins: Logins) -> Application:
    """The ASGI application of `/ws/live/`, complete: Origin, session, login, consumer."""
    consumer = LiveConsumer.as_asgi(
        board=board, logins=logins, seen_timeout_s=settings.OPTIONS.seen_timeout_s
    )
    allowed = [*settings.ALLOWED_HOSTS, *settings.OPTIONS.allowed_origins]
    application: Application = Origins(CookieMiddleware(SessionMiddleware(consumer)), allowed)
    return application


def pages_with_board(application: Application, board: Board) -> Application:
    """Django's HTTP application, its requests carrying the board for their first paint."""

    async def with_board(scope: Message, receive: Receive, send: Send) -> None:
        await application({**scope, BOARD_KEY: board}, receive, send)

    return with_board


def board_of(request: HttpRequest) -> Board | None:
    """The board of this process; None where there is none, as in a test's client."""
    scope: dict[str, Any] = getattr(request, "scope", {})
    return scope.get(BOARD_KEY)
