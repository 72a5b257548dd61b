"""`/ws/live/`: one browser's view of the board. A snapshot, then updates as fast as it draws them.

One message is in flight at a time; what changes meanwhile is merged on the board, so a slow
browser gets fewer updates and never a backlog. Plain ASGI: a Channels consumer would hop to a
thread for every `seen`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

import orjson
from channels.auth import get_user
from channels.db import database_sync_to_async

from dashboards.live.board import Board
from dashboards.live.logins import Ended, Login, Logins
from dashboards.live.metrics import BOUNDS_MET
from dashboards.live.subscription import (
    MESSAGE_MAX_CHARACTERS,
    Unfit,
    charts_of,
    subscription_of,
)
from dashboards.live.viewers import Viewer
from devices.roles import LOOK

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

NOT_LOGGED_IN = 4401
FORBIDDEN = 4403
UNAVAILABLE = 4503
TOO_SLOW = 4508
LAST_WORD_S = 2.0  # for who is shown out to take it

WHY_ENDED = {
    Ended.NOT_LOGGED_IN: (NOT_LOGGED_IN, "Log in, then connect again."),
    Ended.NOT_PERMITTED: (FORBIDDEN, "This login may not look at devices."),
}


def complaint(code: str, message: str, **about: str) -> Message:
    """What says an error, as ASGI sends it."""
    text = orjson.dumps({"type": "error", "code": code, "message": message, **about}).decode()
    return {"type": "websocket.send", "text": text}


async def say_and_close(send: Send, code: int, name: str, message: str) -> None:
    """Say why on an accepted socket, then close it: a browser cannot see a refused handshake."""
    await send(complaint(name, message))
    await send({"type": "websocket.close", "code": code, "reason": name})


async def say_ended(send: Send, why: Ended) -> None:
    code, message = WHY_ENDED[why]
    await say_and_close(send, code, why, message)


class LiveConsumer:
    """One connection; made by `as_asgi`, which is what a route wants."""

    login: Login

    def __init__(
        self, board: Board, logins: Logins, seen_timeout_s: float, receive: Receive, send: Send
    ) -> None:
        self._board = board
        self._logins = logins
        self._seen_timeout_s = seen_timeout_s
        self._receive = receive
        self._send = send
        self._in_flight_ms: int | None = None
        self._shown_out = False
        self._seen = asyncio.Event()

    @classmethod
    def as_asgi(cls, *, board: Board, logins: Logins, seen_timeout_s: float) -> Application:
        async def application(scope: Message, receive: Receive, send: Send) -> None:
            await cls(board, logins, seen_timeout_s, receive, send).run(scope)

        return application

    async def run(self, scope: Message) -> None:
        await self._receive()  # websocket.connect
        await self._send({"type": "websocket.accept"})
        try:
            user = await get_user(scope)
            may_look = await database_sync_to_async(user.has_perm)(LOOK)
        except Exception as error:
            logger.warning("a dashboard could not be let in: %s", error)
            message = "The database does not answer. Try again."
            await say_and_close(self._send, UNAVAILABLE, "unavailable", message)
            return
        if not (user.is_authenticated and may_look):
            known = user.is_authenticated
            await say_ended(self._send, Ended.NOT_PERMITTED if known else Ended.NOT_LOGGED_IN)
            return
        self._task = cast(asyncio.Task[None], asyncio.current_task())
        self.login = Login.of(scope["session"], user)
        self._logins.enter(self)
        try:
            await self._show()
        finally:
            self._logins.leave(self)

    async def _show(self) -> None:
        viewer = self._board.open()
        self._sending = asyncio.create_task(self._send_messages(viewer), name="dashboard-send")
        try:
            while (message := await self._receive())["type"] == "websocket.receive":
                try:
                    self._hear(viewer, message.get("text") or "")
                except Unfit as unfit:
                    await self._complain(unfit)
        finally:
            self._board.close(viewer)
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending

    def show_out(self, why: Ended) -> None:
        """See `dashboards.live.logins.Viewer`."""
        if self._shown_out or self._sending.done():
            return  # its last word is said, or on its way
        self._shown_out = True
        self._sending.cancel()
        self._sending = asyncio.create_task(self._say_why(why), name="dashboard-send")

    async def _say_why(self, why: Ended) -> None:
        """To a browser that is shown out; one that does not read is not waited for."""
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await say_ended(self._send, why)
        except TimeoutError:
            self._task.cancel()

    async def _send_messages(self, viewer: Viewer) -> None:
        try:
            while await self._in_time(self._seen if self._in_flight_ms else viewer.wake):
                await viewer.wake.wait()
                await self._dispatch(self._board.message(viewer))
        except OSError:
            return  # it is gone, which `receive` hears of as well
        except Exception:
            logger.exception("a dashboard's updates ended")
            await self._send({"type": "websocket.close", "code": 4500, "reason": "bug"})
            return
        did = "seen" if self._in_flight_ms else "subscribed to"
        message = f"Nothing was {did} for {self._seen_timeout_s:g} s."
        await say_and_close(self._send, TOO_SLOW, "too_slow", message)

    async def _dispatch(self, message: tuple[int, str]) -> None:
        self._in_flight_ms, text = message
        self._seen.clear()
        await self._send({"type": "websocket.send", "text": text})

    async def _in_time(self, happens: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(self._seen_timeout_s):
                await happens.wait()
        except TimeoutError:
            return False
        return True

    def _hear(self, viewer: Viewer, text: str) -> None:
        """Only `seen` of the message in flight counts. Unfit where it asks for what cannot be."""
        if len(text) > MESSAGE_MAX_CHARACTERS:
            at_most = f"a message has at most {MESSAGE_MAX_CHARACTERS} characters"
            raise Unfit("message", at_most, "message")
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "seen":
            if message.get("at") == self._in_flight_ms:
                self._seen.set()
        elif kind == "subscribe":
            self._board.subscribe(viewer, subscription_of(message))
        elif kind == "chart":
            self._board.chart(viewer, charts_of(message))

    async def _complain(self, unfit: Unfit) -> None:
        if unfit.bound is not None:
            BOUNDS_MET.labels(unfit.bound).inc()
        await self._send(complaint("invalid", str(unfit), field=unfit.field))
