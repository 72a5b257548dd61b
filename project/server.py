"""Runs the ASGI application on Daphne, and stops the hub before Daphne ends its connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from daphne.server import Server
from twisted.internet import defer, reactor

from project.asgi import application, hub

logger = logging.getLogger(__name__)

# A crowd that comes back at once waits its turn; Daphne's five seconds would cut it off.
HANDSHAKE_TIMEOUT_S: Final = 20
NEVER: Final = -1  # Daphne closes every socket after a day unless told not to
# Beyond it Daphne closes with 1009; up to it the hub answers by name.
MESSAGE_MAX_BYTES: Final = 4 * 1024 * 1024


class HubServer(Server):
    """Daphne, that remembers whether it could listen."""

    failed = False

    def listen_error(self, failure: object) -> None:
        self.failed = True
        self.stop()

    def listen_success(self, port: object) -> None:
        super().listen_success(port)
        # By default a socket that breaks the rules of WebSocket is dropped: its device would see a
        # lost connection, to be tried again at once, where 1002, 1007 and 1009 tell it not to.
        self.ws_factory.setProtocolOptions(failByDrop=False)
        for host, number in self.listening_addresses:
            logger.info("the hub listens on %s:%s", host, number)


def serve(host: str, port: int) -> bool:
    """Serve until SIGTERM or SIGINT; False where the address cannot be had."""
    server = HubServer(
        application,
        endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
        websocket_timeout=NEVER,
        websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
        websocket_max_message_size=MESSAGE_MAX_BYTES,
        websocket_max_frame_size=MESSAGE_MAX_BYTES,
        server_name="weir",
    )
    reactor.callWhenRunning(hub.start)
    reactor.addSystemEventTrigger("before", "shutdown", _stop)
    server.run()
    return not server.failed


def _stop() -> defer.Deferred[None]:
    return defer.Deferred.fromFuture(asyncio.ensure_future(_stopped()))


async def _stopped() -> None:
    logger.info("stopping: what is taken is committed and acked first")
    if not await hub.stop():
        logger.error("stopped with readings that could not be committed; they were not acked")
