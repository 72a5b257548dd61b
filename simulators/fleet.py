"""All sessions of a run: connect them, let a producer feed them, drain, report.

The producer (`run`, `replay`) is a coroutine that makes frames until it has no more or is
cancelled by Ctrl-C; everything before and after it is the same for both, and is here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from random import Random

from simulators import Trouble
from simulators.device import Device
from simulators.ledger import Ledger
from simulators.progress import Progress
from simulators.session import Bench, Session
from simulators.tally import Tally
from simulators.tokens import Credential

DIALLING = 32
"""Handshakes at once: enough to keep the hub busy, few enough for its listen queue."""

INTERRUPTED_DRAIN_S = 5.0
"""How long outstanding acks are waited for after Ctrl-C."""

WELCOMED_WITHIN_S = 30.0
"""How long a hub that answers, but closes again, may go on so at the start."""

HARD_STOP = 130
"""Exit code after a second Ctrl-C, as a shell would report it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `run` and `replay` have in common."""

    url: str
    ledger: Path | None
    wait_s: float
    """How long a hub that does not answer yet is waited for at the start."""
    drain_s: float
    """How long outstanding acks are waited for at the end."""
    quiet: bool


@dataclass(frozen=True, slots=True)
class Report:
    result: dict[str, object]
    complete: bool
    """Every frame was acknowledged and no device was turned away, or the person ended it."""


class Fleet:
    """The sessions of one run on the running event loop."""

    def __init__(self, options: Options, crew: list[tuple[Device, Credential]]) -> None:
        self.options = options
        self.tally = Tally()
        self.progress = Progress(self.tally, quiet=options.quiet)
        self.ledger = Ledger(options.ledger) if options.ledger is not None else None
        bench = Bench(
            options.url,
            self.tally,
            self.ledger,
            asyncio.Semaphore(DIALLING),
            Random(),
        )
        self.sessions = [Session(device, who.token, bench) for device, who in crew]
        self.interrupted = False
        self._began_s = 0.0
        self._producing: asyncio.Task[None] | None = None
        self._answered = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def devices(self) -> list[Device]:
        return [session.device for session in self.sessions]

    async def run(self, produce: Callable[[Fleet], Coroutine[None, None, None]]) -> Report:
        """Connect all, produce, drain, disconnect; raise `Trouble` if no device can speak."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        self._tasks = [loop.create_task(session.run()) for session in self.sessions]
        try:
            await self._connect()
            self.begin()
            if not self.interrupted:
                await self._produce(produce)
            await self._drain()
            ended_s = loop.time()
            await self._disconnect()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            self.progress.end()
            if self.ledger is not None:
                self.ledger.close()
        if stopped := self._stopped():
            self.progress.say(stopped)
        result = self.tally.result(self.devices, self._began_s, ended_s)
        whole = not result["unacked"] and not result["stopped"]
        return Report(result, whole or self.interrupted)

    def begin(self) -> None:
        """Rates and the progress count from now; a producer calls it when its preparations end."""
        self._began_s = asyncio.get_running_loop().time()
        self.progress.begin(self._began_s)

    def _interrupt(self) -> None:
        if self.interrupted:
            if self.ledger is not None:
                self.ledger.flush()
            os._exit(HARD_STOP)
        self.interrupted = True
        self._answered.set()
        if self._producing is not None:
            self._producing.cancel()

    async def _connect(self) -> None:
        deadline_s = time.monotonic() + self.options.wait_s
        waiting = list(self.sessions)
        while waiting and not self.interrupted:
            for session in waiting:
                patience_s = 0.0 if session.unreachable else WELCOMED_WITHIN_S
                given_up = session.failure and time.monotonic() >= deadline_s + patience_s
                if given_up and not session.device.stopped:
                    raise Trouble(f"No hub at {self.options.url}: {session.failure}.")
            await asyncio.sleep(0.02)
            waiting = [session for session in waiting if not session.ready.is_set()]
        stopped = self._stopped()
        if stopped and all(device.stopped for device in self.devices):
            raise Trouble(stopped)

    def _stopped(self) -> str:
        """Which devices must not come back and why, in a sentence; empty if none."""
        stopped = [device for device in self.devices if device.stopped]
        if not stopped:
            return ""
        others = f" (and {len(stopped) - 1} more)" if len(stopped) > 1 else ""
        return f"Device {stopped[0].uid}{others}: {stopped[0].stopped}."

    async def _produce(self, produce: Callable[[Fleet], Coroutine[None, None, None]]) -> None:
        """Run the producer until it ends, is interrupted, or no device is left to send for."""
        loop = asyncio.get_running_loop()
        self._producing = loop.create_task(produce(self))
        ticking = loop.create_task(self._tick())
        deserted = asyncio.ensure_future(asyncio.wait(self._tasks))
        try:
            await asyncio.wait([self._producing, deserted], return_when=asyncio.FIRST_COMPLETED)
            if self._producing.done() and not self._producing.cancelled():
                self._producing.result()
        finally:
            for task in (self._producing, ticking, deserted):
                task.cancel()
            for session in self.sessions:
                session.on_room = None

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.progress.interval_s)
            self.progress.show(loop.time())

    async def _drain(self) -> None:
        """Wait until every frame is settled, at most `drain_s`, devices that stopped excepted."""
        limit_s = self.options.drain_s
        if self.interrupted:
            limit_s = min(limit_s, INTERRUPTED_DRAIN_S)
        for session in self.sessions:
            session.on_answer = self._answered.set
        try:
            async with asyncio.timeout(limit_s):
                while any(s.device.spool and not s.device.stopped for s in self.sessions):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            self.progress.say("Some frames are still unacknowledged; giving up.")

    async def _disconnect(self) -> None:
        await asyncio.wait(
            [asyncio.ensure_future(session.leave()) for session in self.sessions], timeout=5
        )


def launch(
    options: Options,
    crew: list[tuple[Device, Credential]],
    produce: Callable[[Fleet], Coroutine[None, None, None]],
) -> Report:
    """Run a fleet in an event loop of its own."""

    async def main() -> Report:
        return await Fleet(options, crew).run(produce)

    try:
        return asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(HARD_STOP)
