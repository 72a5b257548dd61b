"""A device whose values are numbers of their own, so that each can be found again on a screen.

    python -m benchmarks.probe URL TOKEN

Sends one a while until SIGTERM, and then prints, by its value, when its ack came, in Unix seconds.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from typing import Final

from websockets.asyncio.client import connect

UID: Final = "probe"
METRIC: Final = "marker"
FIRST: Final = 100_000
EVERY_S: Final = 0.83
"""No multiple of an interval, so that readings meet every part of one."""


async def main(url: str, token: str) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    acked: list[tuple[int, float]] = []
    async with connect(
        url,
        subprotocols=["weir.v1"],  # type: ignore[list-item]
        additional_headers={"Authorization": f"Bearer {token}"},
        proxy=None,
    ) as hub:
        value = FIRST
        while not ended.is_set():
            values = {METRIC: value}
            await hub.send(json.dumps({"ts": time.time() * 1_000, "values": values}))
            assert '"stored":1' in str(await hub.recv()).replace(" ", "")
            acked.append((value, time.time()))
            value += 1
            try:
                async with asyncio.timeout(EVERY_S):
                    await ended.wait()
            except TimeoutError:
                continue
    print(json.dumps({"acked": acked}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
