"""HTTP on Daphne's and Twisted's protocols: connections bounded in number, size and time.

A request has its time to arrive, headers and body apart, and a body its size; an answer waits for
a slow reader as a WebSocket does. Twisted ends an idle connection after a minute by itself.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.web.http import HTTPChannel

from project.options import FRAME_MOST_BYTES
from project.server import metrics
from project.server.outflow import Outflow

HEAD_WITHIN_S: Final = 20.0
"""From a connection's, or a request's, first moment to the end of its headers."""
BODY_WITHIN_S: Final = 60.0
"""From the end of the headers to the end of the body: 4 MiB at the pace of a slow phone line."""
BODY_MOST_BYTES: Final = FRAME_MOST_BYTES
TOLD_WITHIN_S: Final = 2.0
"""For a refused body's sender to read that it was, while what it still sends is thrown away."""

_TOO_LARGE: Final = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class HubChannel(HTTPChannel):
    """One connection, of one request after the other, or of one that becomes a WebSocket."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.writable = asyncio.Event()
        self.writable.set()
        self._outflow: Outflow | None = None
        self._body_bytes = 0
        self._ends_s: float | None = time.monotonic() + HEAD_WITHIN_S
        self._why_ends = "head_too_slow"
        self.factory.opened(self)

    @property
    def is_answering(self) -> bool:
        """Whether a whole request has arrived and is not answered yet."""
        return bool(self._handlingRequest)

    def dataReceived(self, data: bytes) -> None:
        if self._ends_s is None and not self.is_answering:
            self._end_within(HEAD_WITHIN_S, "head_too_slow")  # the next request has begun
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        self._body_bytes = 0
        if (self.length or 0) > BODY_MOST_BYTES:
            self._refuse_body()
            return
        self._end_within(BODY_WITHIN_S, "body_too_slow")
        super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if self._why_ends == "body_too_large":
            return
        if not self.is_answering:
            self._body_bytes += len(data)
            if self._body_bytes > BODY_MOST_BYTES and self.length is None:
                self._refuse_body()  # in chunks, so it could not say how much there is
                return
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        self._ends_s = None
        super().allContentReceived()

    def connectionLost(self, reason: Any) -> None:
        self.left()
        self.resumeProducing()
        super().connectionLost(reason)

    def left(self) -> None:
        """It is HTTP no longer."""
        self._ends_s = None
        self.factory.closed(self)

    def pauseProducing(self) -> None:
        """The transport holds more than its high water; it says so with every write."""
        if self._outflow is None:
            self._outflow = Outflow(self.transport, time.monotonic())
            self.writable.clear()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """The transport has sent all it held."""
        self._outflow = None
        self.writable.set()
        super().resumeProducing()

    def check_timeouts(self, now_s: float) -> None:
        if self._ends_s is not None and now_s >= self._ends_s:
            self.cut(self._why_ends)
        elif self._outflow is not None and self._outflow.is_stalled(
            now_s, self.factory.server.stall_timeout_s
        ):
            self.cut("took_nothing")

    def cut(self, why: str) -> None:
        metrics.CUT.labels(why).inc()
        self._ends_s = None
        self.transport.abortConnection()

    def _refuse_body(self) -> None:
        self.transport.write(_TOO_LARGE)
        self._end_within(TOLD_WITHIN_S, "body_too_large")

    def _end_within(self, seconds: float, why: str) -> None:
        self._ends_s = time.monotonic() + seconds
        self._why_ends = why


class HubRequest(WebRequest):
    """One request, from its first line to the end of its answer."""

    async def writable(self) -> None:
        """Returns once the reader has taken what was sent before, or is gone."""
        channel = getattr(self, "channel", None)
        if channel is not None:
            await channel.writable.wait()

    @property
    def has_to_say(self) -> bool:
        return self.application_queue is not None and not self.finished

    def application_ended(self, failed: bool) -> None:
        """Nobody will go on with the answer."""
        if self.finished or getattr(self, "channel", None) is None:
            return
        if self._response_started:
            self.channel.transport.abortConnection()  # or half an answer would look like one
        else:
            self.handle_exception(None)

    def say_goodbye(self) -> None:
        """The hub ends. Its answer is waited for."""

    def check_timeouts(self) -> None:
        """See `HubChannel.check_timeouts`."""


class HubHTTPFactory(HTTPFactory):
    """Makes a `HubChannel` of each connection, at most `most` at a time.

    Beyond that the oldest whose request has not arrived is cut: so many half-open ones cost those
    who speak nothing.
    """

    protocol = HubChannel

    def __init__(self, server: Any, most: int) -> None:
        super().__init__(server)
        self._most = most
        self._channels: dict[HubChannel, None] = {}

    def buildProtocol(self, addr: Any) -> Any:
        channel = super().buildProtocol(addr)
        channel.requestFactory = HubRequest
        return channel

    def opened(self, channel: HubChannel) -> None:
        if len(self._channels) >= self._most:
            oldest = next((c for c in self._channels if not c.is_answering), channel)
            self._channels.pop(oldest, None)
            oldest.cut("too_many")
            if oldest is channel:
                return
        self._channels[channel] = None

    def closed(self, channel: HubChannel) -> None:
        self._channels.pop(channel, None)

    def check_timeouts(self) -> None:
        now_s = time.monotonic()
        for channel in list(self._channels):
            channel.check_timeouts(now_s)
