"""How many WebSockets a hub holds at once, dashboards' and devices' together.

Around all routes, so that it holds under any server. One socket too many is opened, told when to
come again, and closed: a browser or a device that is cut off in the handshake learns nothing.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ingest import metrics
from ingest.close import Close
from ingest.consumers import SUBPROTOCOL

logger = logging.getLogger(__name__)

# Open files that are no sockets of this kind: the databases', HTTP requests, the log, the listener.
SPARE_FILES: Final = 128

Application = Callable[..., Awaitable[Any]]


def bounded(application: Application, most: int, retry_after_ms: Callable[[], int]) -> Application:
    """`application` with at most so many WebSockets; `retry_after_ms` is asked for each refusal."""
    places = min(most, max(1, files_at_most() - SPARE_FILES))
    if places < most:
        logger.warning(
            "the system lets this process hold %d WebSockets, not the %d of WEIR_SOCKETS:"
            " raise its bound of open files (ulimit -n, LimitNOFILE)",
            *(places, most),
        )
    held = 0

    async def counted(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal held
        if scope["type"] != "websocket":
            await application(scope, receive, send)
            return
        if held >= places:
            metrics.BOUNDS_MET.labels("sockets").inc()
            await receive()
            await turn_away(scope, send, retry_after_ms())
            return
        held += 1
        metrics.SOCKETS.inc()
        try:
            await application(scope, receive, send)
        finally:
            held -= 1
            metrics.SOCKETS.dec()

    return counted


async def turn_away(scope: dict[str, Any], send: Any, retry_after_ms: int) -> None:
    """Say in the protocol's words that there is no place now."""
    offered = scope.get("subprotocols") or ()
    close = Close(
        4503, "unavailable", "the hub holds as many connections as it may", None, retry_after_ms
    )
    chosen = SUBPROTOCOL if SUBPROTOCOL in offered else None
    await send({"type": "websocket.accept", "subprotocol": chosen})
    await send({"type": "websocket.send", "text": close.text()})
    await send({"type": "websocket.close", "code": close.closes, "reason": close.code})


def files_at_most() -> int:
    """Raise how many files this process may have open as far as it may itself; how many."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):  # macOS does not let it be without any bound
        return now
    return most if most != resource.RLIM_INFINITY else 1_000_000
