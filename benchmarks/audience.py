"""Dashboards of the whole fleet, each logged in, which say `seen` as soon as a browser would.

    python -m benchmarks.audience PORT USER PASSWORD COUNT

Prints `open` once each has its snapshot; at SIGTERM a line of JSON: how many messages came, and
when each value of the probe did, by its value and in Unix seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.dashboard import AT, log_in
from benchmarks.probe import METRIC, UID

FRAME_S: Final = 1 / 60
"""A browser says `seen` in the frame after the one that it draws."""
PROBED: Final = re.compile(rf'"uid":"{UID}".*?"{METRIC}":\[[\d.]+,(\d+)')
AT_ONCE: Final = 10
"""Connections that are being opened."""


class Audience:
    def __init__(self, port: int, cookie: str) -> None:
        self.port, self.cookie = port, cookie
        self.messages = 0
        self.open = 0
        self.seen: list[tuple[int, float]] = []
        self._opening = asyncio.Semaphore(AT_ONCE)

    async def look(self) -> None:
        async with self._opening:
            socket = await connect(
                f"ws://127.0.0.1:{self.port}/ws/live/",
                origin=f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
                additional_headers={"Cookie": self.cookie},
                compression=None,
                max_size=None,
                open_timeout=60,
                proxy=None,
            )
            await socket.send('{"type":"subscribe"}')
            await self._see(socket, str(await socket.recv()))
        self.open += 1
        try:
            async for message in socket:
                await self._see(socket, str(message))
        except ConnectionClosed:
            return
        finally:
            await socket.close()

    async def _see(self, socket: ClientConnection, message: str) -> None:
        self.messages += 1
        if found := PROBED.search(message):
            self.seen.append((int(found[1]), time.time()))
        at = AT.search(message[:200])
        assert at, message[:200]
        await asyncio.sleep(FRAME_S)
        await socket.send(f'{{"type":"seen","at":{at[1]}}}')


async def main(port: int, user: str, password: str, count: int) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    audience = Audience(port, log_in(port, user, password))
    looking = [asyncio.create_task(audience.look()) for _ in range(count)]
    while audience.open < count:
        done = [task for task in looking if task.done()]
        assert not done, f"a dashboard ended: {done}"
        await asyncio.sleep(0.05)
    print("open", flush=True)
    await ended.wait()
    lost = sum(task.done() for task in looking)
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    told = {"messages": audience.messages, "lost": lost, "seen": audience.seen}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
