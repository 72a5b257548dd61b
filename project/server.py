"""Runs the ASGI application on Daphne, and stops the hub before Daphne ends its connections."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

from daphne.http_protocol import WebRequest
from daphne.server import Server
from twisted.internet import defer, reactor

from project.asgi import application, hub
from project.options import FRAME_MOST_BYTES

logger = logging.getLogger(__name__)

# A crowd that comes back at once waits its turn; Daphne's five seconds would cut it off.
HANDSHAKE_TIMEOUT_S: Final = 20
NEVER: Final = -1  # Daphne closes every socket after a day unless told not to
# For the last acks to leave this machine: milliseconds, but for a device that does not read.
LAST_WORDS_S: Final = 1.0
LOOK_S: Final = 0.01


class HubServer(Server):
    """Daphne, that remembers whether it could listen, and that stops the hub before it ends."""

    failed = False
    port: Any = None

    def listen_error(self, failure: object) -> None:
        self.failed = True
        self.stop()

    def listen_success(self, port: object) -> None:
        super().listen_success(port)
        self.port = port
        # By default a socket that breaks the rules of WebSocket is dropped: its device would see a
        # lost connection, to be tried again at once, where 1002, 1007 and 1009 tell it not to.
        self.ws_factory.setProtocolOptions(failByDrop=False)
        for host, number in self.listening_addresses:
            logger.info("the hub listens on %s:%s", host, number)

    def kill_all_applications(self) -> defer.Deferred[None]:
        """Called by Daphne when it is told to end, which waits for what is returned."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        logger.info("stopping: what is taken is committed and acked first")
        if self.port is not None:
            self.port.stopListening()
        if not await hub.stop():
            logger.error("stopped with readings that could not be committed; they were not acked")
        for _ in range(round(LAST_WORDS_S / LOOK_S)):
            await asyncio.sleep(LOOK_S)
            if not self._answers() and not cast(Any, reactor).getWriters():
                break
        # A connection that is not yet a socket or a request has no application; Daphne's own way
        # to do this would trip over it.
        found = [c.get("application_instance") for c in self.connections.values()]
        running = [application_instance for application_instance in found if application_instance]
        for application_instance in running:
            application_instance.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _answers(self) -> bool:
        """Whether an HTTP request is still to be answered."""
        return any(
            isinstance(protocol, WebRequest) and not application_instance.done()
            for protocol, connection in self.connections.items()
            if (application_instance := connection.get("application_instance")) is not None
        )


def serve(host: str, port: int) -> bool:
    """Serve until SIGTERM or SIGINT; False where the address cannot be had."""
    server = HubServer(
        application,
        endpoints=[f"tcp:port={port}:interface={host.replace(':', chr(92) + ':')}"],
        websocket_timeout=NEVER,
        websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
        websocket_max_message_size=FRAME_MOST_BYTES,
        websocket_max_frame_size=FRAME_MOST_BYTES,
        server_name="weir",
    )
    reactor.callWhenRunning(hub.start)
    server.run()
    return not server.failed
