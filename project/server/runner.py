"""Runs the ASGI application on Daphne, and stops the hub before the connections end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from daphne.server import Server
from twisted.internet import reactor as twisted_reactor
from twisted.internet.endpoints import serverFromString
from twisted.logger import LogLevel, globalLogBeginner

from project.asgi import application, hub
from project.options import FRAME_MOST_BYTES, Options
from project.server.requests import HubHTTPFactory, HubRequest
from project.server.sockets import HubSocket, HubSocketFactory

logger = logging.getLogger(__name__)

reactor: Any = twisted_reactor
# Twisted's timers, and Autobahn's on top of them, would follow the wall clock: a jump of it would
# cut every connection at once, or none ever again.
reactor.seconds = time.monotonic

# A crowd that comes back at once waits its turn; Autobahn's five seconds would cut it off.
HANDSHAKE_TIMEOUT_S: Final = 20
# Autobahn's one second loses the last words to a device behind a slow link.
CLOSE_TIMEOUT_S: Final = 10
BACKLOG: Final = 1_024  # connections that the system keeps until the hub has time for them
LOOK_AROUND_S: Final = 2.0
# Of the time to stop: the hub commits, acks and takes leave; then its words leave this machine.
# What is left is for threads that wait for a database.
HUB_SHARE: Final = 0.6
WORDS_SHARE: Final = 0.3
WORDS_MOST_S: Final = 3.0
CLOSE_REPLY_S: Final = 1.0  # for those who answer no close frame
LOOK_S: Final = 0.01


class HubServer(Server):
    """Daphne with sockets and requests of ours. `failed` where it could not listen."""

    def __init__(
        self,
        application: Any,
        endpoint: str,
        start_hub: Callable[[], object],
        stop_hub: Callable[[float], Awaitable[bool]],
        options: Options,
    ) -> None:
        super().__init__(application, [endpoint], ping_interval=options.ping_s, server_name="weir")
        self.failed = False
        self.stall_timeout_s = options.stall_timeout_s
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = HubHTTPFactory(self, options.http_connections)
        self.ws_factory = HubSocketFactory(self, server=self.server_name)
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=options.pong_timeout_s,
            allowNullOrigin=True,
            openHandshakeTimeout=HANDSHAKE_TIMEOUT_S,
            closeHandshakeTimeout=CLOSE_TIMEOUT_S,
            maxMessagePayloadSize=FRAME_MOST_BYTES,
            maxFramePayloadSize=FRAME_MOST_BYTES,
            # By default a socket that breaks the rules of WebSocket is dropped: its device would
            # see a lost connection, to be tried again at once, where 1002, 1007 and 1009 say no.
            failByDrop=False,
        )
        self._start_hub = start_hub
        self._stop_hub = stop_hub
        self._stop_timeout_s = options.stop_timeout_s
        self._port: Any = None
        self._ending: asyncio.Task[None] | None = None

    def run(self) -> None:
        """Until it is told to end. In the main thread."""
        globalLogBeginner.beginLoggingTo(
            [_tell_of_bugs], redirectStandardIO=False, discardBuffer=True
        )
        loop = reactor._asyncioEventloop
        asyncio.set_event_loop(loop)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        loop.call_soon(self._start)
        reactor.run(installSignalHandlers=False)

    def _start(self) -> None:
        for endpoint in self.endpoints:
            listening = serverFromString(reactor, endpoint).listen(self.http_factory)
            listening.addCallbacks(self.listen_success, self.listen_error)
        self._look_around()

    def listen_success(self, port: Any) -> None:
        self._port = port
        self._start_hub()
        address = port.getHost()
        logger.info("the hub listens on %s:%s", address.host, address.port)

    def listen_error(self, failure: object) -> None:
        self.failed = True
        reactor.stop()

    def _look_around(self) -> None:
        for protocol in list(self.connections):
            protocol.check_timeouts()
        self.http_factory.check_timeouts()
        reactor.callLater(LOOK_AROUND_S, self._look_around)

    # Connections and their applications

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Daphne's, but for a bounded inbox, an answer at once when it ends, and no polling."""
        scope.setdefault("asgi", {"version": "3.0"})
        inbox: Any = protocol.inbox if isinstance(protocol, HubSocket) else asyncio.Queue()
        send = protocol.reply if isinstance(protocol, HubSocket) else self._sender(protocol)
        running = asyncio.ensure_future(self.application(scope, inbox.get, send))
        self.connections[protocol]["application_instance"] = running
        running.add_done_callback(partial(self._ended, protocol))
        return inbox

    def _sender(self, request: HubRequest) -> Any:
        async def send(message: dict[str, Any]) -> None:
            await request.writable()
            await self.handle_reply(request, message)

        return send

    def _ended(self, protocol: Any, running: asyncio.Task[Any]) -> None:
        connection = self.connections[protocol]
        del connection["application_instance"]
        failed = not running.cancelled() and running.exception() is not None
        if failed:
            logger.error("a bug in an application", exc_info=running.exception())
        if "disconnected" in connection:
            del self.connections[protocol]
        else:
            protocol.application_ended(failed)

    def protocol_disconnected(self, protocol: Any) -> None:
        connection = self.connections.get(protocol)
        if connection is None or "disconnected" in connection:
            return
        connection["disconnected"] = True
        running = connection.get("application_instance")
        if running is None:
            del self.connections[protocol]
        else:
            loop = asyncio.get_running_loop()
            loop.call_later(self.application_close_timeout, self._give_up, running)

    def _give_up(self, running: asyncio.Task[Any]) -> None:
        if not running.done():
            logger.warning("an application did not end after its connection: it is cancelled")
            running.cancel()

    # The end

    def stop(self) -> None:
        """Called for the first SIGTERM or SIGINT; the second ends the process at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        limit = threading.Timer(self._stop_timeout_s, _end_at_once)
        limit.daemon = True
        limit.start()
        self._ending = asyncio.get_running_loop().create_task(self._end(), name="weir-end")

    async def _end(self) -> None:
        try:
            await self._drain()
        except Exception:
            logger.exception("a bug while stopping")
        finally:
            reactor.stop()

    async def _drain(self) -> None:
        logger.info("stopping: what is taken is committed and acked first")
        if self._port is not None:
            self._port.stopListening()
        flushed = False
        with suppress(TimeoutError):
            within_s = self._stop_timeout_s * HUB_SHARE
            async with asyncio.timeout(within_s + CLOSE_REPLY_S):
                flushed = await self._stop_hub(within_s)
        if not flushed:
            logger.error("stopped with readings that could not be committed; they were not acked")
        for protocol in list(self.connections):
            protocol.say_goodbye()
        await self._last_words(min(self._stop_timeout_s * WORDS_SHARE, WORDS_MOST_S))
        found = [c.get("application_instance") for c in self.connections.values()]
        for running in filter(None, found):
            running.cancel()

    async def _last_words(self, within_s: float) -> None:
        """Until all that was said has left this machine, and was heard where they say so."""
        began_s = time.monotonic()
        while (waited_s := time.monotonic() - began_s) < within_s:
            talking = any(protocol.has_to_say for protocol in self.connections)
            if not reactor.getWriters() and (not talking or waited_s > CLOSE_REPLY_S):
                return
            await asyncio.sleep(LOOK_S)


def _tell_of_bugs(event: dict[str, Any]) -> None:
    """Twisted's own log says too much to be read, but for what nobody has handled."""
    failure = event.get("log_failure")
    if failure is not None and event.get("log_level", LogLevel.critical) >= LogLevel.error:
        logger.error("a bug in the server", exc_info=(failure.type, failure.value, failure.tb))


def _end_at_once() -> None:
    logger.error("ended at the time limit; what was not acked is its sender's to send again")
    os._exit(0)


def serve(host: str, port: int, options: Options) -> bool:
    """Serve until SIGTERM or SIGINT; False where the address cannot be had."""
    interface = host.replace(":", "\\:")
    endpoint = f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"
    server = HubServer(application, endpoint, hub.start, hub.stop, options)
    server.run()
    return not server.failed
