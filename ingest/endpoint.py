"""The device's other door: `POST /ingest/` takes one plain frame, and answers with its ack.

A connection of one frame, for curl and webhooks; behind the door is the same line.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from math import ceil
from typing import Any, ClassVar, Final

from channels.consumer import AsyncConsumer

from devices.tokens import Bearer, TokenRefused
from ingest import metrics
from ingest.close import Close
from ingest.gate import TooManyFailures, Unavailable
from ingest.hello import Hello
from ingest.line import Line, now_us
from ingest.reception import TOO_MANY_FAILURES
from ingest.scope import Receive, Send, address_of, shown_token
from ingest.session import Session, Taken
from ingest.settlement import Settlement

logger = logging.getLogger(__name__)

SHOW_A_BEARER: Final = (b"www-authenticate", b"Bearer")
NOT_NOW: Final = {
    "busy": "the hub cannot take more now",
    "rate_limited": "the device brings more than its rate allows",
}


class Gone(Exception):
    """The client has left before its request was whole."""


@dataclass(slots=True)
class Answer:
    """What the client gets: JSON in `body`."""

    status: int
    body: str
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)


def refusal(status: int, code: str, reason: str, *headers: tuple[bytes, bytes]) -> Answer:
    """An `error` message as the answer."""
    return Answer(status, Close(status, code, reason).text(), list(headers))


class FrameEndpoint(AsyncConsumer):
    """One request. To the line it is a sender of one frame."""

    channel_layer_alias: ClassVar[Any] = None
    ANSWER_TIMEOUT_S: ClassVar[float] = 10.0

    def __init__(self, line: Line) -> None:
        self.line = line
        self.session = Session(line.limits)
        self.bearer: Bearer | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._settled = asyncio.get_running_loop().create_future()
        try:
            answer = await self._answer(scope, receive)
        except Gone:
            return
        except Exception:
            logger.exception("a bug on POST /ingest/")
            answer = refusal(500, "bug", "the hub made a mistake; it is in its log")
        body = f"{answer.body}\n".encode()  # a shell's prompt goes on its own line
        answer.headers += [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": answer.headers,
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: dict[str, Any], receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return refusal(405, "method", "send a frame by POST", (b"allow", b"POST"))
        most_bytes = self.line.limits.frame_bytes
        body = await _body(receive, most_bytes)
        if body is None:
            metrics.BOUNDS_MET.labels("frame_bytes").inc()
            return refusal(413, "frame_too_large", f"a frame has at most {most_bytes} bytes")
        token = shown_token(scope)
        if token is None:
            reason = "send Authorization: Bearer and the token"
            return refusal(401, "token_missing", reason, SHOW_A_BEARER)
        try:
            self.bearer = await self.line.admit(token, address_of(scope))
        except TokenRefused as refused:
            return refusal(401, refused.code, refused.message, SHOW_A_BEARER)
        except TooManyFailures as limited:
            again = come_again(limited.retry_after_ms)
            return refusal(429, "too_many_failures", TOO_MANY_FAILURES, again)
        except Unavailable:
            return self._unavailable("the hub cannot check tokens now")
        at_us = now_us()
        if self.line.is_paused(at_us):
            return self._unavailable("the hub cannot store anything now")
        not_now = self.line.refusal(self.bearer, at_us)
        if not_now is not None:
            code, retry_after_ms = not_now
            return refusal(429, code, NOT_NOW[code], come_again(retry_after_ms))
        return await self._store(body, self.bearer)

    async def _store(self, body: bytes, bearer: Bearer) -> Answer:
        """The frame goes down the line; its ack, when it is committed."""
        self.session.authenticated = True
        received_us = now_us()
        came = None
        try:
            came = self.session.receive(body.decode(), received_us)
            metrics.count_bounds(self.session.bounds_met)
        except UnicodeDecodeError:
            self.session.refuse_form("a frame is UTF-8")
        if isinstance(came, Hello):
            self.session.refuse_form(
                "over HTTP there is no hello: the token goes into Authorization"
            )
        if not isinstance(came, Taken):
            assert self.session.close is not None
            return Answer(400, self.session.close.text())
        self.line.submit(self, bearer, came, None)
        try:
            async with asyncio.timeout(self.ANSWER_TIMEOUT_S):
                await asyncio.shield(self._settled)
        except TimeoutError:
            return self._unavailable("the hub could not commit in time: send the frame again")
        if self.session.close is not None:
            return Answer(500, self.session.close.text())
        return Answer(200, self.session.replies[-1])

    def _unavailable(self, reason: str) -> Answer:
        return refusal(503, "unavailable", reason, come_again(self.line.retry_after_ms()))

    def settle(self, settlement: Settlement) -> None:
        """See `Sender`."""
        self.session.settle(settlement)
        self._end()

    def break_off(self) -> None:
        """See `Sender`."""
        self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
        self._end()

    def _end(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)


def come_again(retry_after_ms: int) -> tuple[bytes, bytes]:
    """The header that asks for a pause; it counts in whole seconds."""
    return b"retry-after", b"%d" % ceil(retry_after_ms / 1_000)


async def _body(receive: Receive, most_bytes: int) -> bytes | None:
    """The request's body; None where it is longer than `most_bytes`. Raises Gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += bytes(message.get("body", b""))
        if len(body) > most_bytes:
            return None
        if not message.get("more_body"):
            return body
