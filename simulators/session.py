"""A device kept connected: the thin shell between `device`, `link`, `ledger` and `tally`.

It opens connections, hands messages over, writes frames to the ledger before the socket, and comes
back with back-off. What to send and when to stop is the device's to know.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from websockets.exceptions import InvalidStatus, WebSocketException

from simulators.backoff import Backoff
from simulators.device import Device
from simulators.ledger import Ledger
from simulators.link import Link, open_link
from simulators.notes import Frame, Settled
from simulators.tally import Tally

WELCOME_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Bench:
    """What all sessions of a run share."""

    url: str
    tally: Tally
    ledger: Ledger | None
    dialling: asyncio.Semaphore
    """How many handshakes at once: a hub that comes back is not to be trampled."""
    rng: Random


class Session:
    """A device and its connection. `run` is its one task; the rest are calls on the event loop."""

    def __init__(self, device: Device, token: str, bench: Bench) -> None:
        self.device = device
        self.ready = asyncio.Event()
        """Welcomed for the first time, or stopped."""
        self.failure = ""
        """Why there is no connection; empty while there is one."""
        self.unreachable = False
        """Nobody answered the last attempt to connect."""
        self.on_room: Callable[[Session], None] | None = None
        """Asked for new frames when the window has room for them."""
        self.on_answer: Callable[[], None] | None = None
        self._token = token
        self.bench = bench
        self._link: Link | None = None
        self._backoff = Backoff(bench.rng)
        self._leaving = False
        self._closing: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        """Keep the device connected until it is stopped, told to `leave`, or this is cancelled."""
        try:
            while not self.device.stopped and not self._leaving:
                await self._connect_once()
                if not self.device.stopped and not self._leaving:
                    await asyncio.sleep(self._backoff.next_s(self.device.take_retry_after_ms()))
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
        self.ready.set()
        self._answered()

    async def _connect_once(self) -> None:
        try:
            async with self.bench.dialling:
                link = await open_link(self.bench.url, self._token)
        except InvalidStatus as refusal:
            status, asked = refusal.response.status_code, refusal.response.headers
            self.failure = f"the hub answered with HTTP {status}"
            after = asked.get("Retry-After", "")
            self.device.turned_away(status, int(after) if after.isdecimal() else 0)
        except (OSError, TimeoutError, WebSocketException, EOFError) as error:
            self.failure, self.unreachable = _reason(error), True
        else:
            await self._speak(link)

    async def _speak(self, link: Link) -> None:
        self._link, self.failure, self.unreachable = link, "", False
        self.bench.tally.connections += 1
        self.device.connected()
        welcome = self._loop.call_later(WELCOME_TIMEOUT_S, self._unwelcome, link)
        try:
            link.attach(self._received, self.pump)
            if self.device.open:
                self.ready.set()
            self.pump()
            code = await link.closed()
        except asyncio.CancelledError:
            link.transport.abort()
            raise
        finally:
            welcome.cancel()
            self._link = None
        self.bench.tally.closes[code] += 1
        self.device.disconnected(code)
        self.failure = f"the connection ended with code {code}"
        self._pass_on_notes()

    def _unwelcome(self, link: Link) -> None:
        if not self.device.open:
            link.transport.abort()

    async def leave(self) -> None:
        """End the connection politely, and do not come back."""
        self._leaving = True
        if self._link is not None:
            await self._link.close()

    def _received(self, text: bytes) -> None:
        self.device.received(text, self._loop.time())
        self._pass_on_notes()
        if self.device.open:
            self.ready.set()
        self.pump()
        self._answered()

    def _answered(self) -> None:
        if self.on_answer is not None:
            self.on_answer()

    def _pass_on_notes(self) -> None:
        bench, now_s = self.bench, self._loop.time()
        for note in self.device.take_notes():
            bench.tally.note(note, now_s)
            if bench.ledger is not None:
                bench.ledger.note(self.device.uid, note)
            if isinstance(note, Settled) and note.frames:
                self._backoff.reset()

    def pump(self) -> None:
        """Send what may be sent now, new frames of the `on_room` producer included."""
        if self.on_room is not None and self.device.room > 0:
            self.on_room(self)
        pump([self])

    def outgoing(self) -> list[Frame]:
        """The frames to write now; entered in tally and ledger, not yet on the wire."""
        device, bench, link = self.device, self.bench, self._link
        if link is None or not link.writable:
            return []
        control = device.take_control()
        if control:
            link.write(control)
        now_s = self._loop.time()
        frames = device.take_frames(now_s)
        for frame in frames:
            bench.tally.sending(frame)
            if bench.ledger is not None and not frame.written:
                frame.written = True
                bench.ledger.frame(device.uid, device.stream, frame, int(time.time() * 1000))
        if device.resend_at_s > now_s:
            self._wake_at(device.resend_at_s)
        if device.hang_up:
            self._loop.call_soon(self._hang_up, link)
        return frames

    def write(self, frames: Iterable[Frame]) -> None:
        """Put on the wire what `outgoing` gave, after the ledger was flushed."""
        if self._link is not None:
            self._link.write(frame.body for frame in frames)

    def _wake_at(self, when_s: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(when_s, self.pump)

    def _hang_up(self, link: Link) -> None:
        if link is self._link and self._closing is None:
            self._closing = self._loop.create_task(self._end(link))

    async def _end(self, link: Link) -> None:
        await link.close()
        self._closing = None


def pump(sessions: Iterable[Session]) -> None:
    """Send what these sessions may send: all of it in the ledger, one flush, then the sockets."""
    outgoing = [(session, frames) for session in sessions if (frames := session.outgoing())]
    if not outgoing:
        return
    ledger = outgoing[0][0].bench.ledger
    if ledger is not None:
        ledger.flush()
    for session, frames in outgoing:
        session.write(frames)


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, TimeoutError):
        return "no answer"
    text = error.strerror if isinstance(error, OSError) else str(error)
    return text or type(error).__name__
