"""The hub's beginning and end under servers that speak ASGI's lifespan; uvicorn does, Daphne not.

uvicorn closes all sockets at SIGTERM and only then says `lifespan.shutdown`, too late for the last
acks and `bye`. So the signal is heard here first: the hub stops while its sockets are open, and
then the server is told.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from project.database import DatabaseUnusable

logger = logging.getLogger(__name__)

Application = Callable[..., Awaitable[Any]]

LAST_WORDS_S: Final = 1.0
"""For close frames to be answered before the server cuts."""


class Stoppable(Protocol):
    """What begins and ends: the hub."""

    def start(self) -> asyncio.Task[None]: ...

    async def stop(self, within_s: float) -> bool: ...


def living(
    application: Application,
    hub: Stoppable,
    stop_within_s: float,
    prepare: Callable[[], object],
) -> Application:
    """`application`, which also answers to `lifespan`.

    `prepare` runs in a thread before the hub starts; it raises DatabaseUnusable where it must
    not, and what it gives is kept until the hub has ended.
    """

    async def lived(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        ending = Ending(hub, stop_within_s)
        await receive()
        try:
            kept = await asyncio.to_thread(prepare)
        except DatabaseUnusable as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await hub.start()
        ending.listen()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await ending.ended()
        del kept
        await send({"type": "lifespan.shutdown.complete"})

    return lived


class Ending:
    """Stops the hub once, at the signal or at the server's word, and lets the server have it."""

    def __init__(self, hub: Stoppable, within_s: float) -> None:
        self._hub = hub
        self._within_s = within_s
        self._loop = asyncio.get_running_loop()
        self._stopping: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Hear SIGTERM and SIGINT before the server does, where it listens to them."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            servers = signal.getsignal(number)
            if callable(servers):
                signal.signal(number, self._handler(number, servers))

    async def ended(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="weir-end")
        await self._stopping

    def _handler(self, number: int, servers: Any) -> Any:
        def heard(*_: object) -> None:
            signal.signal(number, servers)  # the second is the server's own
            self._loop.call_soon_threadsafe(self._begin, number)

        return heard

    def _begin(self, number: int) -> None:
        if self._stopping is not None:
            signal.raise_signal(number)
            return
        self._stopping = self._loop.create_task(self._stop(), name="weir-end")
        self._stopping.add_done_callback(lambda _: signal.raise_signal(number))

    async def _stop(self) -> None:
        logger.info("stopping: what is taken is committed and acked first")
        if not await self._hub.stop(self._within_s):
            logger.error("stopped with readings that could not be committed; they were not acked")
        await asyncio.sleep(LAST_WORDS_S)
