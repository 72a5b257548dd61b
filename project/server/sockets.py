"""One WebSocket on Daphne's protocol: what comes in and what goes out are bounded, each by itself.

Input: messages wait in an `Inbox`; while that is full the transport is not read from, and what the
last read brought stays bytes. Output: while Twisted holds more than its high water of unsent bytes
the application's `send` waits, and nothing is read, so that nothing more has to be answered.
A socket that is not read from is not held to its pings: its pongs wait unread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final, Literal

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from project.server import frames, metrics, tcp
from project.server.closing import BUG, NORMAL, RESTART, may_be_sent, reason_bytes
from project.server.inbox import Inbox, Message
from project.server.outflow import Outflow

logger = logging.getLogger(__name__)

Full = Literal["opening", "input", "output"]

LINGER_S: Final = 10.0
"""How long a peer may take for the last bytes after which its connection ends."""

LEFT_S: Final = 10.0
"""How long a peer that has ended its side is kept for what it sent, while that is not read."""


class HubSocket(WebSocketProtocol):
    """See the module. All on the event loop."""

    # Autobahn's
    data: bytes
    autoPingTimeoutCall: Any

    def __init__(self) -> None:
        super().__init__()
        self.inbox = Inbox(lambda: self._hold("input"), lambda: self._release("input"))
        self._full: set[Full] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._outflow: Outflow | None = None
        self._held_s = 0.0  # when the reading was paused
        self._cut_for = ""

    # The application's side

    async def reply(self, message: Message) -> None:
        """ASGI's `send`. Waits while the peer does not take what was sent before."""
        if "output" in self._full:
            await self._writable.wait()
        kind = message["type"]
        if kind == "websocket.send":
            self._send(message)
        elif kind == "websocket.accept":
            if self.state == self.STATE_CONNECTING:
                self.serverAccept(message.get("subprotocol"))
        elif kind == "websocket.close":
            self._close(message.get("code") or NORMAL, message.get("reason") or "")
        else:
            raise ValueError(f"no message of a WebSocket: {kind}")

    def _send(self, message: Message) -> None:
        if self.state == self.STATE_CONNECTING:
            raise ValueError("not accepted yet")
        if self.state != self.STATE_OPEN:
            return  # the peer went, and its application is about to hear of it
        text = message.get("text")
        if text is None:
            self.transport.write(frames.framed(frames.BINARY, message["bytes"]))
        else:
            self.transport.write(frames.framed(frames.TEXT, text.encode()))

    def _close(self, code: int, reason: str) -> None:
        if not may_be_sent(code):
            raise ValueError(f"no code to close with: {code}")
        if self.state == self.STATE_CONNECTING:
            self.failHandshake("Access denied", 403)
        else:
            self.sendCloseFrame(code, reason_bytes(reason))

    def application_ended(self, failed: bool) -> None:
        """Nobody will answer on this socket any more."""
        if self.state == self.STATE_CONNECTING and failed:
            self.failHandshake("Internal server error", 500)
        else:
            self._close(BUG if failed else NORMAL, "")

    @property
    def has_to_say(self) -> bool:
        """Whether the peer may still hear something, or be heard to have."""
        return bool(self.state != self.STATE_CLOSED)

    def say_goodbye(self) -> None:
        """The hub ends, and the application has not closed."""
        if self.state == self.STATE_CONNECTING:
            self.failHandshake("Service Unavailable", 503)
        else:
            self._close(RESTART, "restart")

    # Daphne's and Autobahn's side

    def connectionMade(self) -> None:
        # Daphne hands over a transport whose buffer still answers to the HTTP protocol.
        self.transport.producer.left()
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        tcp.keep_alive(self.transport)
        super().connectionMade()

    def onConnect(self, request: Any) -> Any:
        handshake = super().onConnect(request)
        self.socket_opened = self.last_ping = time.monotonic()
        # Autobahn would gather, without a bound, whatever comes before the application accepts.
        self._hold("opening")
        return handshake

    def onOpen(self) -> None:
        super().onOpen()
        self._release("opening")

    def dataReceived(self, data: bytes) -> None:
        self._dataReceived(data)  # the adapter's own formats a line for a log that is off

    def consumeData(self) -> None:
        """What was read: as far as the inbox has room."""
        if self._full and self.state != self.STATE_CLOSED:
            self.transport.pauseProducing()  # Daphne resumes once, after the handshake
            return
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        while not self._full and self.state != self.STATE_CLOSED:
            self._take_texts()
            if self._full or not self.processData():  # an empty frame has an end, too
                return

    def _take_texts(self) -> None:
        """The plain texts at the front of what was read; Autobahn's part is left there."""
        if self.state != self.STATE_OPEN or self.inside_message or self.current_frame is not None:
            return
        data, at = self.data, 0
        while not self._full and (found := frames.next_text(data, at, self.maxFramePayloadSize)):
            text, size_bytes, at = found
            self._hear({"type": "websocket.receive", "text": text}, size_bytes)
        if at:
            self.data = data[at:]

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that Autobahn put together."""
        if self.state != self.STATE_OPEN:
            return  # we have closed: what still comes is not taken
        if isBinary:
            self._hear({"type": "websocket.receive", "bytes": payload}, len(payload))
        else:
            self._hear({"type": "websocket.receive", "text": payload.decode()}, len(payload))

    def _hear(self, message: Message, size_bytes: int) -> None:
        self.last_ping = time.monotonic()
        if self.autoPingTimeoutCall is not None:
            self._cancelAutoPingTimeoutCall()  # whoever speaks is there
        self.inbox.put(message, size_bytes)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        self.transport.write(data)  # the original formats a line for a log that is off

    def sendCloseFrame(
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,
        isReply: bool = False,
    ) -> None:
        super().sendCloseFrame(code, reasonUtf8, isReply)
        if not isReply:
            self.inbox.shut()  # the peer's own close frame is behind all it sent

    def _fail_connection(self, code: int = 1001, reason: str = "") -> None:
        if self.state != self.STATE_CLOSING:  # or the second mistake would take back the answer
            self._cut_for = f"{code} {reason}"
            super()._fail_connection(code, reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self.resumeProducing()  # whoever waits to send goes on, and finds it closed
        for full in list(self._full):
            self._release(full)
        if hasattr(self, "server"):  # or its handshake was no handshake
            if self._cut_for:  # Daphne's own word of it comes after this one, and is not read
                said = {"type": "websocket.disconnect", "code": code, "cut": self._cut_for}
                self.inbox.put_nowait(said)
            super().onClose(wasClean, code, reason)

    def _closeConnection(self, abort: bool = False) -> None:
        super()._closeConnection(abort)
        if not abort:
            self.factory.reactor.callLater(LINGER_S, self.transport.abortConnection)

    # As the producer of what its transport sends

    def pauseProducing(self) -> None:
        """The transport holds more than its high water; it says so with every write."""
        if self._outflow is None:
            self._outflow = Outflow(self.transport, time.monotonic())
            self._writable.clear()
            self._hold("output")

    def resumeProducing(self) -> None:
        """The transport has sent all it held."""
        self._outflow = None
        self._writable.set()
        self._release("output")

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.resumeProducing()

    # Holding back

    def _hold(self, full: Full) -> None:
        if full in self._full:
            return
        if not self._full:
            self._held_s = time.monotonic()
        self._full.add(full)
        self.transport.pauseProducing()
        self._forget_ping()
        if full != "opening":
            metrics.PAUSED.labels(full).inc()
            metrics.PAUSES.labels(full).inc()

    def _release(self, full: Full) -> None:
        if full not in self._full:
            return
        self._full.discard(full)
        if full != "opening":
            metrics.PAUSED.labels(full).dec()
        if not self._full:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Read again, first what the last read left."""
        if self._full or self.state == self.STATE_CLOSED:
            return
        self._forget_ping()
        try:
            self.consumeData()
        except Exception:
            logger.exception("a bug in what was read from a WebSocket; it is cut")
            self.dropConnection(abort=True)
        if not self._full:
            self.transport.resumeProducing()

    # Time

    def check_timeouts(self) -> None:
        """Called by the server every two seconds or so."""
        now_s = time.monotonic()
        if self.state == self.STATE_CONNECTING:
            return  # Autobahn has a timer on its handshake
        if self._outflow is not None:
            if self._outflow.is_stalled(now_s, self.server.stall_timeout_s):
                self._cut("took_nothing")
        elif self._full:
            if self._is_gone(now_s):
                self._cut("gone")
        elif self.state == self.STATE_OPEN and now_s - self.last_ping > self.server.ping_interval:
            self._sendAutoPing()
            self.last_ping = now_s

    def onAutoPingTimeout(self) -> None:
        metrics.CUT.labels("no_pong").inc()
        self._cut_for = "no_pong"
        super().onAutoPingTimeout()

    def _forget_ping(self) -> None:
        """Nothing is read, so no pong is: nobody is cut for that, and the interval begins anew."""
        if self.autoPingTimeoutCall is not None:
            self.autoPingTimeoutCall.cancel()
            self.autoPingTimeoutCall = None
            self.autoPingPending = None
        self.last_ping = time.monotonic()

    def _is_gone(self, now_s: float) -> bool:
        """Whether the peer has left, or the system given it up; nobody who does not read is told.

        One that has left may have sent before: that is lost, unacked, where it is not read in time.
        """
        state = tcp.state(self.transport)
        has_left = state == tcp.CLOSE_WAIT and now_s - self._held_s >= LEFT_S
        return has_left or state == tcp.CLOSE

    def _cut(self, why: str) -> None:
        metrics.CUT.labels(why).inc()
        self._cut_for = why
        self.dropConnection(abort=True)


class HubSocketFactory(WebSocketFactory):
    """Makes a `HubSocket` of each handshake."""

    protocol = HubSocket
