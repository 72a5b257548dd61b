"""Who a connection is on the line: let in by a token, with a stream or a place among plain ones.

Between the device's connection and the line, and only at its beginning and its end: no frame
comes by here.
"""

from __future__ import annotations

from typing import Final

from devices.tokens import Bearer, TokenRefused
from ingest import metrics
from ingest.connections import Connection
from ingest.gate import TooManyFailures, Unavailable
from ingest.hello import Hello, Opened
from ingest.line import Line
from ingest.session import Session
from ingest.storage import StreamRequest, StreamReused

TOO_MANY_FAILURES: Final = "too many wrong tokens: wait before you show another"


class Reception:
    """See the module. `guest` is the connection; what it is refused for, its session says.

    `name` is what device and log call it.
    """

    def __init__(
        self, line: Line, session: Session, guest: Connection, name: str, address: str
    ) -> None:
        self.bearer: Bearer | None = None
        self.stream: Opened | None = None
        self._line = line
        self._session = session
        self._guest = guest
        self.address = address
        self._name = name
        self._has_place = False

    async def authenticate(self, token: str) -> None:
        if self.bearer is not None:
            self._line.leave(self._guest)
            self.bearer = None
        try:
            bearer = await self._line.admit(token, self.address)
        except TokenRefused as refusal:
            self._session.fail(refusal.closes, refusal.code, refusal.message)
        except TooManyFailures as limited:
            self._session.fail(
                4429,
                "too_many_failures",
                TOO_MANY_FAILURES,
                retry_after_ms=limited.retry_after_ms,
            )
        except Unavailable:
            self.turn_away("the hub cannot check tokens now")
        else:
            if self._line.stopping:  # who was inside has been told, and nobody will be again
                self.turn_away("the hub ends")
                return
            self.bearer = bearer
            self._line.enter(self._guest)

    async def welcome(self, hello: Hello) -> None:
        """Answer a hello: who it is, and where its stream goes on."""
        if hello.token is not None:
            await self.authenticate(hello.token)
        if self.bearer is None:
            self._session.fail(
                4401, "token_missing", "show a token: Authorization: Bearer, or in hello"
            )
        if self._session.close is not None or self.bearer is None:
            return
        if hello.stream is not None and not await self._open_stream(self.bearer, hello):
            return
        durable = self._line.writer.condition.weakness is None
        self._session.welcome(self._name, self._line.time_ms(), self.stream, durable)

    async def _open_stream(self, bearer: Bearer, hello: Hello) -> bool:
        assert hello.stream is not None
        answer = await self._line.open_stream(StreamRequest(None, bearer.device_id, hello))
        if isinstance(answer, Opened):
            self.stream = answer
            if answer.forgotten:
                metrics.BOUNDS_MET.labels("streams").inc(answer.forgotten)
            self._line.places.enter_stream(bearer.device_id, hello.stream, self._guest)
            return True
        if isinstance(answer, StreamReused):
            self._session.fail(
                4400,
                "stream_reused",
                f"this stream is committed through {answer.committed}: come back with a new name",
            )
        else:
            self.turn_away("the hub cannot open the stream now")
        return False

    def has_place(self) -> bool:
        """Whether the device may have this plain connection beside its others; asked, it has."""
        assert self.bearer is not None
        if not self._has_place:
            self._has_place = self._line.places.enter_plain(self.bearer.device_id)
            if not self._has_place:
                metrics.BOUNDS_MET.labels("plain_connections").inc()
                self._session.fail(
                    4429, "too_many_connections", "too many plain connections of this device"
                )
        return self._has_place

    def turn_away(self, reason: str) -> None:
        """The hub has no time for it: it is told when to come again."""
        again_ms = self._line.retry_after_ms()
        self._session.fail(4503, "unavailable", reason, retry_after_ms=again_ms)

    def leave(self) -> None:
        """Give back all it was given."""
        if self.bearer is None:
            return
        self._line.leave(self._guest)
        if self._has_place:
            self._line.places.leave_plain(self.bearer.device_id)
        if self.stream is not None:
            self._line.places.leave_stream(self.bearer.device_id, self.stream.name, self._guest)
