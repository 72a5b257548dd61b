"""A device that is led by hand from one connection to the next: to leave some open, say.

What it knows and numbers is the simulators' `Device`; only the connections are ours.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.device import Device
from simulators.ledger import Ledger
from tests.acceptance import devices


class Caller:
    """One device with its ledger; each frame has one sample, with a time no other has."""

    def __init__(self, uid: str, token: str, ledger: Ledger, rng: random.Random) -> None:
        self.device = Device(uid, spool_frames=100_000)
        self.token = token
        self._ledger = ledger
        self._rng = rng
        self._samples = 0
        self._begin_ms = int(time.time() * 1000) - 3_600_000

    def measure(self, frames: int = 1) -> None:
        """Make so many new frames, to be sent when they may."""
        for _ in range(frames):
            self._samples += 1
            sample = {
                "ts": self._begin_ms + self._samples,
                "values": {"n": self._samples, "level": round(self._rng.gauss(20, 5), 3)},
            }
            text = json.dumps({"readings": [sample]}, separators=(",", ":")).encode()
            self.device.add(text.removeprefix(b"{"), 2, time.monotonic())

    def take_texts(self) -> list[str]:
        """What is to be sent now; its frames are in the ledger first."""
        texts = [text.decode() for text in self.device.take_control()]
        for frame in self.device.take_frames(time.monotonic()):
            if not frame.written:
                frame.written = True
                sent_ms = int(time.time() * 1000)
                self._ledger.frame(self.device.uid, self.device.stream, frame, sent_ms)
            texts.append(frame.body.decode())
        self._ledger.flush()
        return texts

    def take_answer(self, text: str) -> None:
        self.device.received(text.encode(), time.monotonic())
        for note in self.device.take_notes():
            self._ledger.note(self.device.uid, note)


class Visit:
    """One connection of a caller at one hub."""

    def __init__(self, caller: Caller, link: devices.Device) -> None:
        self.caller = caller
        self.link = link
        self.heard: Counter[str] = Counter()
        """Messages, by type."""

    async def hello(self) -> None:
        """Open the stream here; from now on the caller listens to this connection alone."""
        device = self.caller.device
        device.disconnected(1006)
        device.connected()
        await self.send()
        while not device.open:
            await self.hear()

    async def send(self) -> None:
        """Send all that may be sent now."""
        for text in self.caller.take_texts():
            await self.link.say(text)

    async def hear(self) -> None:
        """Take one message, soon; raises ConnectionClosed where none follows."""
        async with asyncio.timeout(devices.PATIENCE_S):
            text = str(await self.link.connection.recv())
        self.heard[json.loads(text)["type"]] += 1
        self.caller.take_answer(text)

    async def hear_ack_of(self, seq: int) -> None:
        while self.caller.device.acked < seq:
            await self.send()
            await self.hear()


@asynccontextmanager
async def visit(caller: Caller, url: str) -> AsyncIterator[Visit]:
    """Connect to the hub at `url`, and do not say hello yet."""
    async with devices.device(url, caller.token) as link:
        yield Visit(caller, link)
