"""A device as a test plays it: it says a message, and hears what the hub answers, in time."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.schema import is_what_a_hub_says

PATIENCE_S = 20.0
"""For one answer: milliseconds on an idle machine."""


REPLACED = {
    "type": "error",
    "code": "replaced",
    "message": "another connection has taken this stream over",
}


class Device:
    """One connection. What is said may be a message, or the text or bytes of one."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.welcome: dict[str, Any] = {}
        self.window = 0  # as it was told last; hearing anything, it may be told anew

    async def say(self, *messages: Any) -> None:
        for message in messages:
            given = isinstance(message, str | bytes)
            await self.connection.send(message if given else json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next message but those of the window, which may come at any moment."""
        while (heard := await self._recv())["type"] == "flow":
            self.window = heard["in_flight"]
        return heard

    async def hear_window(self) -> int:
        """The next message, which tells a new window."""
        heard = await self._recv()
        assert heard["type"] == "flow", heard
        self.window = int(heard["in_flight"])
        return self.window

    async def _recv(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            return is_what_a_hub_says(json.loads(await self.connection.recv()))

    async def ask(self, message: Any) -> dict[str, Any]:
        await self.say(message)
        return await self.hear()

    async def hello(
        self, stream: str = "", first: int = 1, last: int | None = None, **more: Any
    ) -> dict[str, Any]:
        """Open a stream, a new one if none is named, holding frames `first` to `last` or none."""
        stream = stream or secrets.token_hex(8)
        held = {"first": first, "last": first - 1 if last is None else last}
        self.welcome = await self.ask({"type": "hello", "stream": stream, "held": held, **more})
        if "limits" in self.welcome:
            self.window = self.welcome["limits"]["in_flight"]
        return self.welcome

    async def hear_acks_through(self, seq: int) -> dict[str, int]:
        """Wait for the ack of frame `seq`; the counts of the acks that came on the way."""
        counts = {"stored": 0, "duplicate": 0, "rejected": 0}
        while True:
            heard = await self.hear()
            assert heard["type"] == "ack", heard
            for name in counts:
                counts[name] += heard[name]
            if heard["seq"] >= seq:
                return counts

    async def hear_ack_of(self, seq: int) -> int:
        """Wait for the ack of frame `seq`; the last frame acked, which may be a later one."""
        acked = 0
        while acked < seq:
            acked = (await self.hear())["seq"]
        return acked

    async def bring(self, *frames: dict[str, Any]) -> None:
        """Send frames of a stream, again from where the hub says so, until they are acked."""
        await self.say(*frames)
        acked = 0
        while acked < frames[-1]["seq"]:
            heard = await self.hear()
            if heard["type"] == "ack":
                acked = heard["seq"]
                continue
            assert heard["type"] == "nack", heard
            await asyncio.sleep(heard.get("retry_after_ms", 0) / 1_000)
            due = heard.get("expected", heard["seq"])
            await self.say(*(frame for frame in frames if frame["seq"] >= due))

    async def hear_last_word(self) -> tuple[dict[str, Any], int]:
        """The last message before the hub closes, the others left out, and its close code."""
        last: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    last = is_what_a_hub_says(json.loads(await self.connection.recv()))
            except ConnectionClosed:
                return last, self.connection.close_code or 0

    async def hear_nothing_but_the_close(self) -> int:
        last, code = await self.hear_last_word()
        assert last == {}
        return code


@asynccontextmanager
async def device(
    url: str, token: str | None = None, *, subprotocols: Sequence[str] | None = ("weir.v1",)
) -> AsyncIterator[Device]:
    """Connect, showing `token` in the header if there is one."""
    async with connect(
        url,
        subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
        additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        open_timeout=PATIENCE_S,
        close_timeout=PATIENCE_S,
        ping_interval=None,
        proxy=None,
    ) as connection:
        yield Device(connection)


async def once_more(url: str, token: str, stream: str, first: int) -> dict[str, Any]:
    """What a device is told that comes back to its stream, holding nothing."""
    async with device(url, token) as back:
        return await back.hello(stream, first)


def sample(n: int, **values: Any) -> dict[str, Any]:
    """The `n`th sample of a test, one a second."""
    return {"ts": 1_750_000_000_000 + n * 1_000, "values": values or {"level": float(n)}}


def frame(seq: int, *numbers: int) -> dict[str, Any]:
    """A frame of a stream, with these samples; with the one of its own number if none is named."""
    return {"seq": seq, "readings": [sample(n) for n in numbers or (seq,)]}
