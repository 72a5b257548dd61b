"""The board: one per process, between the channel layer and this process's dashboards.

    hubs ──group "live"──▶ board (merges, encodes what changed once) ──▶ viewers, one a socket

It joins the group with a channel of its own, so a hundred dashboards cost the layer one member.
Layers lose messages and forget members: it joins again now and then, and after every error.
Knows nothing of ingestion; the database it sees only through the two loaders it is given.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

import orjson

from dashboards.present import DevicePresent, Present

logger = logging.getLogger(__name__)

GROUP = "live"
# The in-memory layer forgets a member whose message expired, a restarted Redis all of them.
REJOIN_INTERVAL_S = 15.0
RETRY_MIN_S, RETRY_MAX_S = 0.5, 10.0
# A silent board still says that it is there, so that a browser can tell a quiet fleet from a
# connection that is gone without a word.
HEARTBEAT_S = 2.0
# Several hubs' summaries become one update an interval. A little less than one, so that the hubs'
# clock sets the pace and not the board's.
PACE = 0.9
# The line is stale when no hub has spoken for this many intervals; each speaks every interval.
STALE_INTERVALS = 4
STALE_MIN_S = 4.0
# New, renamed and deleted devices show after this at the latest.
CATALOGUE_INTERVAL_S = 5.0


class ChannelLayer(Protocol):
    """What the board needs of a channel layer."""

    async def new_channel(self) -> str: ...
    async def receive(self, channel: str) -> dict[str, Any]: ...
    async def group_add(self, group: str, channel: str) -> None: ...
    async def group_discard(self, group: str, channel: str) -> None: ...


Load = Callable[[], Sequence[DevicePresent]]


class Viewer:
    """One dashboard's place on the board: what changed since it was last sent an update."""

    def __init__(self, uid: str | None) -> None:
        self.uid = uid
        self.wake = asyncio.Event()
        self.changed: frozenset[str] = frozenset()
        self.removed: frozenset[str] = frozenset()


class Board:
    """The present of the fleet, kept current, handed to viewers as fast as each can take it."""

    def __init__(
        self,
        channel_layer: ChannelLayer,
        clock: Callable[[], float],
        *,
        load_fleet: Load,
        load_catalogue: Load,
        interval_s: float = 1.0,
    ) -> None:
        """`clock` gives Unix time in seconds. The loaders run in a thread of the board's own:
        `load_fleet` once, with latest values; `load_catalogue` every few seconds, without."""
        self.interval_s = interval_s
        self.summaries = 0
        self.summaries_refused = 0
        self.updates = 0
        self.merged = 0
        self.primed = False
        self._layer = channel_layer
        self._clock = clock
        self._load_fleet, self._load_catalogue = load_fleet, load_catalogue
        self._present = Present()
        self._viewers: set[Viewer] = set()
        self._news = asyncio.Event()
        self._heard_s = clock()
        self._channel: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="board")
        self._joined: tuple[frozenset[str], str] = (frozenset(), "")

    @property
    def dashboards(self) -> int:
        return len(self._viewers)

    async def start(self) -> None:
        """Begin to listen. The fleet is primed meanwhile, and again until the database answers."""
        self._heard_s = self._clock()
        self._tasks = [
            asyncio.create_task(loop(), name=f"board-{name}")
            for name, loop in (
                ("listen", self._listen),
                ("rejoin", self._rejoin),
                ("prime", self._prime),
                ("flush", self._flush),
            )
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._leave()
        self._loader.shutdown(wait=False, cancel_futures=True)

    def prime(self, known: Sequence[DevicePresent], read_at_ms: int) -> None:
        """Merge what the database knew at `read_at_ms`."""
        self._present.prime(known, read_at_ms)
        self.primed = True
        # Without a change no update: one out of turn would put the next summary off.
        if self._present.has_changes:
            self._news.set()

    def devices(self) -> list[DevicePresent]:
        """The fleet now, for a page's first paint; from any thread."""
        return self._present.devices()

    def device(self, uid: str) -> DevicePresent | None:
        return self._present.device(uid)

    def stale_since_ms(self) -> int | None:
        """When a hub was last heard from, if that is too long ago."""
        limit_s = max(STALE_INTERVALS * self.interval_s, STALE_MIN_S)
        return round(self._heard_s * 1000) if self._clock() - self._heard_s > limit_s else None

    def open(self, uid: str | None = None) -> Viewer:
        """A viewer of all devices, or of the one named. It is to be closed."""
        viewer = Viewer(uid)
        self._viewers.add(viewer)
        return viewer

    def close(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)

    def snapshot(self, viewer: Viewer) -> tuple[int, str]:
        """Its time, and the first message of a dashboard: everything it watches."""
        viewer.changed = viewer.removed = frozenset()
        viewer.wake.clear()
        uids = self._present.uids() if viewer.uid is None else [viewer.uid]
        about = {
            "interval_ms": round(self.interval_s * 1000),
            "heartbeat_ms": round((self.interval_s * PACE + HEARTBEAT_S) * 1000),
        }
        return self._message("snapshot", about, self._join(uids))

    def update(self, viewer: Viewer) -> tuple[int, str]:
        """Its time, and the message that brings `viewer` from what it was last sent to now."""
        changed, removed = viewer.changed, viewer.removed
        viewer.changed = viewer.removed = frozenset()
        viewer.wake.clear()
        self.updates += 1
        # Dashboards that keep up share one set, so what they get is joined once for all.
        if changed is not self._joined[0]:
            self._joined = (changed, self._join(changed))
        about = {"removed": sorted(removed)} if removed else {}
        return self._message("update", about, self._joined[1])

    def _message(self, kind: str, about: dict[str, Any], fragments: str) -> tuple[int, str]:
        at_ms = round(self._clock() * 1000)
        head = {"type": kind, "at": at_ms, "stale_since": self.stale_since_ms(), **about}
        return at_ms, f'{orjson.dumps(head).decode()[:-1]},"devices":[{fragments}]}}'

    def _join(self, uids: frozenset[str] | list[str]) -> str:
        found = (self._present.fragment(uid) for uid in uids)
        return ",".join(fragment for fragment in found if fragment is not None)

    async def _listen(self) -> None:
        retry_s = RETRY_MIN_S
        while True:
            try:
                self._channel = await self._layer.new_channel()
                await self._layer.group_add(GROUP, self._channel)
                while True:
                    message = await self._layer.receive(self._channel)
                    retry_s = RETRY_MIN_S
                    self._merge(message)
            except Exception as error:
                # Redis away: an ordinary state, said once a try and never a traceback.
                logger.warning("no summaries: %s; trying again in %.1f s", error, retry_s)
                await self._leave()
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)

    async def _leave(self) -> None:
        """A channel that nobody reads any more would gather messages without bound."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(Exception):
                await self._layer.group_discard(GROUP, channel)

    async def _rejoin(self) -> None:
        while True:
            await asyncio.sleep(REJOIN_INTERVAL_S)
            if self._channel is not None:
                with suppress(Exception):
                    await self._layer.group_add(GROUP, self._channel)

    def _merge(self, message: dict[str, Any]) -> None:
        try:
            body = orjson.loads(message["body"])
            self._present.apply(message["hub"], body, round(self._clock() * 1000))
        except (KeyError, TypeError, ValueError):
            self.summaries_refused += 1
            logger.exception("a summary that cannot be read; is an older hub in this group?")
            return
        self.summaries += 1
        self._heard_s = self._clock()
        self._news.set()

    async def _prime(self) -> None:
        loop = asyncio.get_running_loop()
        load, retry_s = self._load_fleet, RETRY_MIN_S
        while True:
            read_at_ms = round(self._clock() * 1000)
            try:
                known = await loop.run_in_executor(self._loader, load)
            except Exception as error:
                logger.warning("cannot read the fleet: %s; trying again in %.1f s", error, retry_s)
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            self.prime(known, read_at_ms)
            load, retry_s = self._load_catalogue, RETRY_MIN_S
            await asyncio.sleep(CATALOGUE_INTERVAL_S)

    async def _flush(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), HEARTBEAT_S)
            self._news.clear()
            self._offer(*self._present.take_changes())
            await asyncio.sleep(self.interval_s * PACE)

    def _offer(self, changed: frozenset[str], removed: frozenset[str]) -> None:
        for viewer in self._viewers:
            mine, gone = changed, removed
            if viewer.uid is not None:
                mine, gone = changed & {viewer.uid}, removed & {viewer.uid}
            if viewer.changed:
                self.merged += 1
                mine = viewer.changed | mine
            viewer.changed = mine - gone if gone else mine
            viewer.removed = (viewer.removed | gone) - mine if viewer.removed or gone else gone
            viewer.wake.set()
