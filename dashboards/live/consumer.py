"""`/ws/live/`: one browser's view of the board. A snapshot, then updates as fast as it draws them.

One update is in flight at a time; what changes meanwhile is merged on the board, so a slow
browser gets fewer updates and never a backlog. Plain ASGI: a Channels consumer would hop to a
thread for every `seen`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qs

import orjson
from channels.auth import get_user

from dashboards.live.board import Board, Viewer
from dashboards.live.logins import Login, Logins

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

NOT_LOGGED_IN = 4401
FOREIGN_ORIGIN = 4403
UNAVAILABLE = 4503
TOO_SLOW = 4508
LAST_WORD_S = 2.0  # for who is shown out to take it


async def say_and_close(send: Send, code: int, name: str, message: str) -> None:
    """Say why on an accepted socket, then close it: a browser cannot see a refused handshake."""
    text = orjson.dumps({"type": "error", "code": name, "message": message}).decode()
    await send({"type": "websocket.send", "text": text})
    await send({"type": "websocket.close", "code": code, "reason": name})


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
        self._logged_out = False
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
        except Exception as error:
            logger.warning("a dashboard could not be let in: %s", error)
            message = "The database does not answer. Try again."
            await say_and_close(self._send, UNAVAILABLE, "unavailable", message)
            return
        if not user.is_authenticated:
            await self._say_logged_out()
            return
        self._task = cast(asyncio.Task[None], asyncio.current_task())
        self.login = Login.of(scope["session"], user)
        self._logins.enter(self)
        try:
            await self._show(one_device(scope))
        finally:
            self._logins.leave(self)

    async def _show(self, uid: str | None) -> None:
        viewer = self._board.open(uid)
        self._sending = asyncio.create_task(self._send_updates(viewer), name="dashboard-send")
        try:
            while (message := await self._receive())["type"] == "websocket.receive":
                self._hear(message.get("text"))
        finally:
            self._board.close(viewer)
            self._sending.cancel()
            with suppress(asyncio.CancelledError):
                await self._sending

    def show_out(self) -> None:
        """See `dashboards.live.logins.Viewer`."""
        if self._logged_out or self._sending.done():
            return  # its last word is said, or on its way
        self._logged_out = True
        self._sending.cancel()
        self._sending = asyncio.create_task(self._say_why(), name="dashboard-send")

    async def _say_why(self) -> None:
        """To a browser that is shown out; one that does not read is not waited for."""
        try:
            async with asyncio.timeout(LAST_WORD_S):
                await self._say_logged_out()
        except TimeoutError:
            self._task.cancel()

    async def _say_logged_out(self) -> None:
        message = "Log in, then connect again."
        await say_and_close(self._send, NOT_LOGGED_IN, "not_logged_in", message)

    async def _send_updates(self, viewer: Viewer) -> None:
        try:
            await self._dispatch(self._board.snapshot(viewer))
            while await self._was_seen():
                await viewer.wake.wait()
                await self._dispatch(self._board.update(viewer))
        except OSError:
            return  # it is gone, which `receive` hears of as well
        except Exception:
            logger.exception("a dashboard's updates ended")
            await self._send({"type": "websocket.close", "code": 4500, "reason": "bug"})
            return
        message = f"Nothing was seen for {self._seen_timeout_s:g} s."
        await say_and_close(self._send, TOO_SLOW, "too_slow", message)

    async def _dispatch(self, message: tuple[int, str]) -> None:
        self._in_flight_ms, text = message
        self._seen.clear()
        await self._send({"type": "websocket.send", "text": text})

    async def _was_seen(self) -> bool:
        try:
            async with asyncio.timeout(self._seen_timeout_s):
                await self._seen.wait()
        except TimeoutError:
            return False
        return True

    def _hear(self, text: str | None) -> None:
        """Only `seen` of the update in flight counts; anything else is not ours and is ignored."""
        try:
            message = orjson.loads(text or "")
        except orjson.JSONDecodeError:
            return
        seen = isinstance(message, dict) and message.get("type") == "seen"
        if seen and message.get("at") == self._in_flight_ms:
            self._seen.set()


def one_device(scope: Message) -> str | None:
    """The device asked for by `?device=`, if one was."""
    asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("device")
    return asked[0] if asked else None
