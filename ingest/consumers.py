"""The device's door: a WebSocket at `/ws/ingest/`. One frame over HTTP is `endpoint`'s.

The thin shell around `Session`: it moves texts and closes, and knows no rule of the protocol but
how a connection begins and ends; who it is on the line, `reception` knows. A receive loop of its
own, because Channels' dispatch looks at database connections in a thread for every message
(100–290 µs).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, ClassVar, Final, cast

from channels.consumer import AsyncConsumer

from devices.tokens import Bearer, TokenRefused
from ingest import metrics
from ingest.admission import Held
from ingest.hello import Hello
from ingest.line import Line, now_us
from ingest.reception import Reception
from ingest.scope import BEARER_SUBPROTOCOL, Receive, Send, address_of, name_of, shown_token
from ingest.session import HOLD, Hold, Refused, Session, Taken
from ingest.settlement import Settlement
from ingest.voice import Voice

logger = logging.getLogger(__name__)

SUBPROTOCOL: Final = "weir.v1"
LAST_WORD_S: Final = 2.0  # for who is shown out to take it


class DeviceConsumer(AsyncConsumer):
    """One WebSocket of one device."""

    channel_layer_alias: ClassVar[Any] = None  # a device's connection listens to no group

    def __init__(self, line: Line) -> None:
        self.line = line
        self.session = Session(line.limits)
        self._held: Held | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ahead: asyncio.Task[dict[str, Any]] | None = None
        self._cut = ""  # why, where our server did it

    @property
    def bearer(self) -> Bearer | None:
        """Who was let in."""
        return self._reception.bearer

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self._receive = receive
        self._voice = Voice(self.session, send)
        self._reception = Reception(
            self.line, self.session, self, name_of(scope), address_of(scope)
        )
        self._loop = asyncio.get_running_loop()
        self._task = cast(asyncio.Task[None], asyncio.current_task())
        try:
            await receive()  # websocket.connect
            if await self._accept(scope):
                await self._listen(scope)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a bug on a device connection; it is closed")
            self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
            await self._voice.drain()
        finally:
            self._leave()

    async def _accept(self, scope: dict[str, Any]) -> bool:
        """Accept in `weir.v1`, or without a subprotocol where the client offers none."""
        offered = scope.get("subprotocols") or []
        named = [name for name in offered if not name.startswith(BEARER_SUBPROTOCOL)]
        chosen = SUBPROTOCOL if SUBPROTOCOL in named else None
        await self._voice.say({"type": "websocket.accept", "subprotocol": chosen})
        if named and chosen is None:
            self.session.fail(4406, "no_common_subprotocol", f"this hub speaks {SUBPROTOCOL}")
        elif self.line.stopping:
            self._reception.turn_away("the hub ends")
        await self._voice.drain()
        return not self._voice.is_closed

    async def _listen(self, scope: dict[str, Any]) -> None:
        token = shown_token(scope)
        if token is not None:
            await self._reception.authenticate(token)
            self.session.authenticated = self.bearer is not None
            await self._voice.drain()
        if self.bearer is None and not self._voice.is_closed:
            await self._wait_for_token()
        while not self._voice.is_closed:
            await self._take_or_end(await self._next())

    async def _wait_for_token(self) -> None:
        """Read until a token was shown, or the connection is to end for want of one."""
        if not self.line.places.enter_waiting():
            metrics.BOUNDS_MET.labels("sockets_waiting").inc()
            self._reception.turn_away("too many connections wait to show a token")
            await self._voice.drain()
            return
        deadline = self._loop.time() + self.line.hello_timeout_s
        try:
            while self.bearer is None and not self._voice.is_closed:
                try:
                    async with asyncio.timeout_at(deadline):
                        message = await self._next()
                except TimeoutError:
                    self.session.fail(4408, "token_timeout", "no token was shown in time")
                    await self._voice.drain()
                    return
                await self._take_or_end(message)
        finally:
            self.line.places.leave_waiting()

    async def _take_or_end(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.disconnect":
            self._cut = message.get("cut", "")  # not ASGI's: our server's
            self._voice.leave()
        elif not self.line.stopping:
            await self._take(message)

    async def _next(self) -> dict[str, Any]:
        """The next message: the one that was read ahead, if there is one."""
        if self._voice.is_speaking:
            # It does not take what it is told: reading on would make more of that, without bound.
            await self._voice.waited_for()
        if self._ahead is None:
            return await self._receive()
        ahead, self._ahead = self._ahead, None
        return await ahead

    async def _take(self, message: dict[str, Any]) -> None:
        """One message: to the session, and what comes of it to the writer or back to the device."""
        text = message.get("text")
        if text is None:
            self.session.refuse_form("a message is JSON in a text frame, this one is binary")
        else:
            came = self._offer(text)
            if isinstance(came, Hello):
                await self._reception.welcome(came)
            elif came is not None:
                await self._hold(text)
        if self.session.replies:
            await self._voice.drain()
        if self.session.repeated and self.bearer is not None and text is not None:
            self.session.repeated = 0
            await asyncio.sleep(self.line.repeat(self.bearer, len(text)))

    def _offer(self, text: str, waited_us: int = 0) -> Hello | Hold | None:
        """Give a text to the session, and what it takes to the writer."""
        at_us = now_us()
        bearer = self._reception.bearer
        # Whether it can be taken is asked of now: the moment it came may be long before the newest
        # commit, and the clock is right all the same.
        refusal = self.line.refusal(bearer, at_us) if bearer else None
        came = self.session.receive(text, at_us - waited_us, refusal)
        if isinstance(came, Taken):
            self._submit(came)
            return None
        if isinstance(came, Hold):
            return self._wait_for(refusal)
        return came

    def _submit(self, taken: Taken) -> None:
        reception = self._reception
        assert reception.bearer is not None
        stream = None
        if reception.stream is not None:
            stream = (reception.stream.id, reception.stream.epoch)
        elif not reception.has_place():
            return
        self.line.submit(self, reception.bearer, taken, stream)

    def _wait_for(self, refusal: Refused | None) -> Hold | None:
        """See to it that a held text is offered again when that may help."""
        if not self._reception.has_place():
            return None
        if refusal is not None and refusal[0] == "busy":
            self.line.admission.enter(self)
            return HOLD
        self.line.admission.leave(self)  # others need not wait for what it waits for
        if refusal is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(refusal[1] / 1_000, self.attempt)
        # Else for its own acks or its own window: it is told of both.
        return HOLD

    async def _hold(self, text: str) -> None:
        """Read nothing until the text is taken, but for one message that may say it has left."""
        held = self._held = Held(text, self._loop.time(), self._loop.create_future())
        self._ahead = ahead = self._loop.create_task(self._receive_ahead())
        await asyncio.wait((held.done, ahead), return_when=asyncio.FIRST_COMPLETED)
        if held.done.done() or ahead.result()["type"] != "websocket.disconnect":
            await held.done
        self._held = None

    async def _receive_ahead(self) -> dict[str, Any]:
        return await self._receive()

    def attempt(self) -> bool:
        """See `Waiter`."""
        held = self._held
        if held is None or held.done.done():
            return True
        if self.session.close is None and self.session.is_full:
            self.line.admission.leave(self)
            return True
        waited_us = round((self._loop.time() - held.since_s) * 1_000_000)
        try:
            came = self._offer(held.text, waited_us)
        except Exception as error:
            held.done.set_exception(error)
            return True
        if came is HOLD:
            return self not in self.line.admission
        self.line.admission.leave(self)
        held.done.set_result(None)
        return True

    def settle(self, settlement: Settlement) -> None:
        """See `Sender`."""
        self.session.settle(settlement)
        self._offer_held()
        self._wake()

    def flow(self, window: int) -> bool:
        """See `Windowed`."""
        is_told = self.session.flow(window)
        self._offer_held()
        self._wake()
        return is_told

    def _offer_held(self) -> None:
        """Its window has changed; but who waits for the hub waits for its turn."""
        if self._held is not None and self not in self.line.admission:
            self.attempt()

    async def bye(self, retry_after_ms: int) -> None:
        """See `Connection`."""
        self.session.bye(retry_after_ms)
        self._wake()
        await self._voice.ended.wait()

    def replace(self) -> None:
        """See `Replaceable`."""
        self.session.replaced()
        self._wake()

    def break_off(self) -> None:
        """See `Sender`."""
        self.session.fail(4500, "bug", "the hub made a mistake; it is in its log")
        self._wake()

    def show_out(self, refusal: TokenRefused) -> None:
        """See `Guest`. One that does not hear why, because it does not read, is not waited for."""
        self.session.fail(refusal.closes, refusal.code, refusal.message)
        self._wake()
        self._loop.call_later(LAST_WORD_S, self._end_unheard)

    def _end_unheard(self) -> None:
        if not self._voice.is_closed:
            self._task.cancel()

    def _wake(self) -> None:
        if self._held is not None and self.session.close is not None:
            self.attempt()  # nothing more is taken: it need not wait
        if self.session.replies:
            self._voice.wake()

    def _leave(self) -> None:
        self._voice.leave()
        self._held = None
        self.line.admission.leave(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._ahead is not None:
            self._ahead.cancel()
        metrics.NACKED.inc(self.session.nacked)
        metrics.IGNORED.inc(self.session.ignored)
        self._tell_of_the_end()
        self._reception.leave()

    def _tell_of_the_end(self) -> None:
        reception, close, now_s = self._reception, self.session.close, self._loop.time()
        if close is not None and not self.line.stopping:
            self.line.endings.closed(reception.bearer, reception.address, close, now_s)
        elif self._cut:
            self.line.endings.cut(reception.bearer, reception.address, self._cut, now_s)
