"""The device's doors: a WebSocket at `/ws/ingest/`, and one frame over HTTP by `POST /ingest/`.

The thin shell around `Session`: it moves texts and closes, and knows no rule of the protocol but
how a connection begins and ends. A receive loop of its own, because Channels' dispatch looks at
database connections in a thread for every message (100–290 µs).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from channels.consumer import AsyncConsumer

from devices.tokens import Bearer, TokenRefused
from ingest import metrics
from ingest.gate import Unavailable
from ingest.line import Line, now_us
from ingest.session import Hello, Opened, Session, Taken
from ingest.storage import Settlement, StreamRequest, StreamReused

logger = logging.getLogger(__name__)

SUBPROTOCOL: Final = "weir.v1"
BEARER_SUBPROTOCOL: Final = "bearer."  # of browsers, which cannot set a header
RETRY_AFTER_MS: Final = 1_000  # after trouble of ours; a device adds jitter of its own

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class DeviceConsumer(AsyncConsumer):
    """One WebSocket of one device."""

    channel_layer_alias: ClassVar[Any] = None  # a device's connection listens to no group

    def __init__(self, line: Line) -> None:
        self.line = line
        self.session = Session(line.limits)
        self.bearer: Bearer | None = None
        self._id = secrets.token_hex(8)
        self._sending = False
        self._closed = False
        self._streamed: Opened | None = None
        self._plain = False

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        try:
            await receive()  # websocket.connect
            if await self._accept(scope):
                await self._listen(scope, receive)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a bug on a device connection; it is closed")
            self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
            await self._drain()
        finally:
            self._leave()

    async def _accept(self, scope: dict[str, Any]) -> bool:
        """Accept in `weir.v1`, or without a subprotocol where the client offers none."""
        offered = scope.get("subprotocols") or []
        named = [name for name in offered if not name.startswith(BEARER_SUBPROTOCOL)]
        chosen = SUBPROTOCOL if SUBPROTOCOL in named else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})
        if named and chosen is None:
            self.session.fail(4406, "no_common_subprotocol", f"this hub speaks {SUBPROTOCOL}")
            await self._drain()
            return False
        return True

    async def _listen(self, scope: dict[str, Any], receive: Receive) -> None:
        token = shown_token(scope)
        if token is not None:
            await self._authenticate(token)
            self.session.authenticated = self.bearer is not None
            await self._drain()
        deadline = self._loop.time() + self.line.hello_timeout_s
        while not self._closed:
            if self.bearer is None:
                try:
                    message = await asyncio.wait_for(receive(), deadline - self._loop.time())
                except TimeoutError:
                    self.session.fail(4408, "token_timeout", "no token was shown in time")
                    await self._drain()
                    return
            else:
                message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            if not self.line.stopping:
                await self._take(message)

    async def _take(self, message: dict[str, Any]) -> None:
        """One message: to the session, and what comes of it to the writer or back to the device."""
        text = message.get("text")
        session = self.session
        if text is None:
            session.refuse_form("a message is JSON in a text frame, this one is binary")
        else:
            received_us = now_us()
            came = session.receive(text, received_us, self.line.has_room)
            if came.__class__ is Taken:
                self._submit(came, received_us)
            elif came.__class__ is Hello:
                await self._welcome(came)
        if session.replies:
            await self._drain()

    def _submit(self, taken: Taken, received_us: int) -> None:
        assert self.bearer is not None
        if self._streamed is not None:
            self.line.submit(
                self, self.bearer, taken, received_us, (self._streamed.id, self._streamed.epoch)
            )
            return
        if not self._plain:
            self._plain = self.line.enter_plain(self.bearer.device_id)
            if not self._plain:
                self.session.fail(
                    4429, "too_many_connections", "too many plain connections of this device"
                )
                return
        self.line.submit(self, self.bearer, taken, received_us, None)

    async def _welcome(self, hello: Hello) -> None:
        """Answer a hello: who it is, and where its stream goes on."""
        if hello.token is not None:
            await self._authenticate(hello.token)
        if self.bearer is None:
            self.session.fail(
                4401, "token_missing", "show a token: Authorization: Bearer, or in hello"
            )
        if self.session.close is not None or self.bearer is None:
            return
        if hello.stream is not None and not await self._open_stream(self.bearer, hello):
            return
        self.session.welcome(self._id, now_us() // 1_000, self._streamed)

    async def _open_stream(self, bearer: Bearer, hello: Hello) -> bool:
        assert hello.stream is not None
        answer = await self.line.open_stream(StreamRequest(None, bearer.device_id, hello))
        if isinstance(answer, Opened):
            self._streamed = answer
            self.line.enter_stream(bearer.device_id, hello.stream, self)
            return True
        if isinstance(answer, StreamReused):
            self.session.fail(
                4400,
                "stream_reused",
                f"this stream is committed through {answer.committed}: come back with a new name",
            )
        else:
            self.session.fail(
                4503,
                "unavailable",
                "the hub cannot open the stream now",
                retry_after_ms=RETRY_AFTER_MS,
            )
        return False

    async def _authenticate(self, token: str) -> None:
        if self.bearer is not None:
            self.line.leave(self)
            self.bearer = None
        try:
            bearer = await self.line.gate.admit(token)
        except TokenRefused as refusal:
            self.session.fail(refusal.closes, refusal.code, refusal.message)
        except Unavailable:
            self.session.fail(
                4503,
                "unavailable",
                "the hub cannot check tokens now",
                retry_after_ms=RETRY_AFTER_MS,
            )
        else:
            self.bearer = bearer
            self.line.enter(self)

    def settle(self, settlement: Settlement) -> None:
        """See `Connection`."""
        if settlement.fenced:
            self.session.fail(4409, "replaced", "another connection has taken this stream over")
        else:
            self.session.settle(
                settlement.through,
                settlement.stored,
                settlement.duplicate,
                settlement.rejected,
                settlement.refusals,
            )
        self._wake()

    def replace(self) -> None:
        """See `Connection`."""
        self.session.fail(4409, "replaced", "another connection has taken this stream over")
        self._wake()

    def break_off(self) -> None:
        """See `Connection`."""
        self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
        self._wake()

    def show_out(self, refusal: TokenRefused) -> None:
        """See `Guest`."""
        self.session.fail(refusal.closes, refusal.code, refusal.message)
        self._wake()

    def _wake(self) -> None:
        if self.session.replies and not self._sending and not self._closed:
            self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        """Send what the session has to say, in order, and close after its last word."""
        if self._sending or self._closed:
            return
        self._sending = True
        try:
            while self.session.replies:
                replies, self.session.replies = self.session.replies, []
                for text in replies:
                    await self._send({"type": "websocket.send", "text": text})
            if self.session.close is not None:
                self._closed = True
                metrics.CLOSED.labels(str(self.session.close.closes)).inc()
                await self._send({"type": "websocket.close", "code": self.session.close.closes})
        finally:
            self._sending = False

    def _leave(self) -> None:
        self._closed = True
        metrics.NACKED.inc(self.session.nacked)
        metrics.IGNORED.inc(self.session.ignored)
        if self.bearer is None:
            return
        self.line.leave(self)
        if self._plain:
            self.line.leave_plain(self.bearer.device_id)
        if self._streamed is not None:
            self.line.leave_stream(self.bearer.device_id, self._streamed.name, self)


class FrameEndpoint(AsyncConsumer):
    """`POST /ingest/`: one plain frame, answered with its ack after the commit."""

    channel_layer_alias: ClassVar[Any] = None
    ANSWER_TIMEOUT_S: ClassVar[float] = 10.0

    def __init__(self, line: Line) -> None:
        self.line = line
        self.session = Session(line.limits)
        self.bearer: Bearer | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._settled = asyncio.get_running_loop().create_future()
        try:
            status, body, headers = await self._answer(scope, receive)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a bug on POST /ingest/")
            status, headers = 500, []
            body = (
                '{"type":"error","code":"bug","message":"the hub made a mistake; it is in its log"}'
            )
        encoded = f"{body}\n".encode()  # a shell's prompt goes on its own line
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(encoded)),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": encoded})

    async def _answer(
        self, scope: dict[str, Any], receive: Receive
    ) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        if scope["method"] != "POST":
            return self._refusal(405, "method", "send a frame by POST", [(b"allow", b"POST")])
        body = await self._body(receive)
        if body is None:
            return self._refusal(
                413, "frame_too_large", f"a frame has at most {self.line.limits.frame_bytes} bytes"
            )
        token = shown_token(scope)
        if token is None:
            return self._refusal(
                401,
                "token_missing",
                "send Authorization: Bearer and the token",
                [(b"www-authenticate", b"Bearer")],
            )
        try:
            self.bearer = await self.line.gate.admit(token)
        except TokenRefused as refusal:
            return self._refusal(
                401, refusal.code, refusal.message, [(b"www-authenticate", b"Bearer")]
            )
        except Unavailable:
            return self._busy("the hub cannot check tokens now")
        if self.line.stopping:
            return self._busy("the hub is ending")
        if not self.line.has_room:
            return self._refusal(
                429, "busy", "the hub cannot take more now", [(b"retry-after", b"1")]
            )
        return await self._store(body)

    async def _store(self, body: bytes) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        assert self.bearer is not None
        self.session.authenticated = True
        received_us = now_us()
        try:
            came = self.session.receive(body.decode(), received_us)
        except UnicodeDecodeError:
            self.session.refuse_form("a frame is UTF-8")
            came = None
        if isinstance(came, Hello):
            self.session.refuse_form(
                "over HTTP there is no hello: the token goes into Authorization"
            )
        if not isinstance(came, Taken):
            assert self.session.close is not None
            return 400, self.session.close.text(), []
        self.line.submit(self, self.bearer, came, received_us, None)
        try:
            await asyncio.wait_for(asyncio.shield(self._settled), self.ANSWER_TIMEOUT_S)
        except TimeoutError:
            return self._busy("the hub could not commit in time: send the frame again")
        if self.session.close is not None:
            return 500, self.session.close.text(), []
        return 200, self.session.replies[-1], []

    async def _body(self, receive: Receive) -> bytes | None:
        """The request's body; None where it is longer than a frame may be."""
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise asyncio.CancelledError
            body += bytes(message.get("body", b""))
            if len(body) > self.line.limits.frame_bytes:
                return None
            if not message.get("more_body"):
                return body

    def _busy(self, reason: str) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        return self._refusal(503, "unavailable", reason, [(b"retry-after", b"1")])

    def _refusal(
        self, status: int, code: str, reason: str, headers: list[tuple[bytes, bytes]] | None = None
    ) -> tuple[int, str, list[tuple[bytes, bytes]]]:
        self.session.fail(0, code, reason)
        assert self.session.close is not None
        return status, self.session.close.text(), headers or []

    def settle(self, settlement: Settlement) -> None:
        """See `Connection`."""
        self.session.settle(
            settlement.through,
            settlement.stored,
            settlement.duplicate,
            settlement.rejected,
            settlement.refusals,
        )
        if not self._settled.done():
            self._settled.set_result(None)

    def break_off(self) -> None:
        """See `Connection`."""
        self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
        if not self._settled.done():
            self._settled.set_result(None)

    def replace(self) -> None:
        """See `Connection`."""

    def show_out(self, refusal: TokenRefused) -> None:
        """See `Guest`. A frame that was let in is answered."""


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
