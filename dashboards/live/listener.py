"""The board's ear: one channel in the group that hubs speak to, kept open.

Layers lose messages and forget members, and a connection to Redis may be gone without a word. Hubs
speak at least once an interval: so it joins again now and then, and after an error or a silence it
drops what the layer holds and begins anew. Knows nothing of what is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

logger = logging.getLogger(__name__)

GROUP: Final = "live"
ASK: Final = "live.ask"
"""The message by which a board asks all hubs to say their counts again."""
# The in-memory layer forgets a member whose message expired, and all where the clock jumps a day.
# Cheaper than a summary, and sooner than dashboards would be stale.
REJOIN_INTERVAL_S = 2.0
# Short: dashboards are to be whole again soon after Redis is.
RETRY_MIN_S, RETRY_MAX_S = 0.5, 2.0
# For one word with the layer. A Redis that hangs takes connections and never answers; longer than
# the relay waits for it, which uses the same connections in turn.
ANSWER_WITHIN_S = 6.0

Message = dict[str, Any]


class ChannelLayer(Protocol):
    """What the listener needs of a channel layer."""

    async def new_channel(self) -> str: ...
    async def receive(self, channel: str) -> Message: ...
    async def group_add(self, group: str, channel: str) -> None: ...
    async def group_send(self, group: str, message: Message) -> None: ...
    async def flush(self) -> None: ...


class Listener:
    """Hands every message of the group on, for as long as `run` is not cancelled."""

    def __init__(
        self,
        layer: ChannelLayer,
        elapsed: Callable[[], float],
        *,
        silence_s: float,
        on_join: Callable[[], None],
        on_message: Callable[[Message], None],
    ) -> None:
        """`elapsed` gives seconds of a clock that is never set. After `silence_s` without a
        message it begins anew. `on_join` is told each time: what was said before is lost."""
        self._layer = layer
        self._elapsed = elapsed
        self._silence_s = silence_s
        self._on_join, self._on_message = on_join, on_message
        self._heard_s = elapsed()
        self._failing = False
        self._to_ask = asyncio.Event()

    def ask(self) -> None:
        """Have all hubs say again what they counted. Where that fails there will be a gap."""
        self._to_ask.set()

    async def run(self) -> None:
        retry_s = RETRY_MIN_S
        while True:
            began_s = self._elapsed()
            why = await self._until_deaf()
            if self._heard_s > began_s:
                retry_s = RETRY_MIN_S
            if not self._failing:
                # Redis away: an ordinary state, said once and never with a traceback.
                logger.warning("no summaries: %s; trying again every few seconds", why)
                self._failing = True
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, RETRY_MAX_S)

    async def _until_deaf(self) -> str:
        """Hear hubs; why they cannot be heard any longer."""
        hearing = asyncio.create_task(self._hear(), name="board-hear")
        silent_from_s = self._elapsed()
        try:
            while not hearing.done():
                silent_from_s = max(silent_from_s, self._heard_s)
                left_s = self._silence_s - (self._elapsed() - silent_from_s)
                if left_s <= 0:
                    return f"no hub was heard for {self._silence_s:g} s"
                await asyncio.wait([hearing], timeout=left_s)
            return repr(hearing.exception())
        finally:
            # Before the task: to end it, the layer would wait for Redis. And a channel that nobody
            # reads any more would gather messages without bound.
            try:
                with suppress(Exception):
                    async with asyncio.timeout(ANSWER_WITHIN_S):
                        await self._layer.flush()
            finally:
                hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _hear(self) -> None:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            channel = await self._layer.new_channel()
        await self._join(channel)
        self._on_join()
        joining = asyncio.create_task(self._rejoin(channel), name="board-rejoin")
        asking = asyncio.create_task(self._ask(), name="board-ask")
        try:
            while True:
                message = await self._layer.receive(channel)
                self._heard_s = self._elapsed()
                if self._failing:
                    logger.info("summaries come again")
                    self._failing = False
                self._on_message(message)
        finally:
            joining.cancel()
            asking.cancel()

    async def _join(self, channel: str) -> None:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await self._layer.group_add(GROUP, channel)

    async def _ask(self) -> None:
        while True:
            await self._to_ask.wait()
            self._to_ask.clear()
            with suppress(Exception):
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    await self._layer.group_send(GROUP, {"type": ASK})

    async def _rejoin(self, channel: str) -> None:
        while True:
            await asyncio.sleep(REJOIN_INTERVAL_S)
            with suppress(Exception):  # a layer that is away is found by the silence
                await self._join(channel)
