"""The board: one per process, between the channel layer and this process's dashboards.

    hubs ──group "live"──▶ board (merges, encodes what changed once) ──▶ viewers, one a socket

It hears the group through one `listener`, so a hundred dashboards cost the layer one member. What
was said while it could not hear, or was lost on the way, it reads from the database. Knows nothing
of ingestion; the database it sees only through the two loaders it is given.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import orjson

from dashboards.live.listener import ChannelLayer, Listener
from dashboards.live.present import HUBS_KEPT, DevicePresent, Present

logger = logging.getLogger(__name__)

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
# New, renamed and deleted devices show after this at the latest. And so often at most is the whole
# fleet read again, whatever is lost.
CATALOGUE_INTERVAL_S = 5.0

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
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives Unix time in seconds and may be set at any time, `elapsed` those of a clock
        that never is. The loaders run in a thread of the board's own: `load_fleet`, with latest
        values, at first and after summaries were lost; `load_catalogue`, without, every few
        seconds."""
        self.interval_s = interval_s
        self.summaries = 0
        self.summaries_refused = 0
        self.updates = 0
        self.merged = 0
        self.primed = False
        self._clock, self._elapsed = clock, elapsed
        self._load_fleet, self._load_catalogue = load_fleet, load_catalogue
        self._present = Present()
        self._viewers: set[Viewer] = set()
        self._news = asyncio.Event()
        self._lost = asyncio.Event()  # summaries, so that the fleet is to be read again
        self._last_of_hub: dict[str, int] = {}
        self._heard_s = elapsed()
        stale_s = max(STALE_INTERVALS * interval_s, STALE_MIN_S)
        self._stale_s = stale_s
        self._listener = Listener(
            channel_layer,
            elapsed,
            silence_s=2 * stale_s,
            on_join=self._lost.set,
            on_message=self._merge,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="board")
        self._joined: tuple[frozenset[str], str] = (frozenset(), "")

    @property
    def dashboards(self) -> int:
        return len(self._viewers)

    async def start(self) -> None:
        """Begin to listen. The fleet is primed meanwhile, and again until the database answers."""
        self._heard_s = self._elapsed()
        self._tasks = [
            asyncio.create_task(loop(), name=f"board-{name}")
            for name, loop in (
                ("listen", self._listener.run),
                ("prime", self._prime),
                ("flush", self._flush),
            )
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self._loader.shutdown(wait=False, cancel_futures=True)

    def prime(self, known: Sequence[DevicePresent], read_after: int) -> None:
        """Merge what the database knew when `read_after` summaries had been applied."""
        self._present.prime(known, read_after, self._now_ms())
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
        silent_s = self._elapsed() - self._heard_s
        return round((self._clock() - silent_s) * 1000) if silent_s > self._stale_s else None

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
        at_ms = self._now_ms()
        head = {"type": kind, "at": at_ms, "stale_since": self.stale_since_ms(), **about}
        return at_ms, f'{orjson.dumps(head).decode()[:-1]},"devices":[{fragments}]}}'

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _join(self, uids: frozenset[str] | list[str]) -> str:
        found = (self._present.fragment(uid) for uid in uids)
        return ",".join(fragment for fragment in found if fragment is not None)

    def _merge(self, message: dict[str, Any]) -> None:
        try:
            hub, body = message["hub"], orjson.loads(message["body"])
            self._present.apply(hub, body, self._now_ms())
        except (KeyError, TypeError, ValueError):
            self.summaries_refused += 1
            logger.exception("a summary that cannot be read; is an older hub in this group?")
            return
        self.summaries += 1
        self._heard_s = self._elapsed()
        self._news.set()
        self._number(hub, message.get("number"))

    def _number(self, hub: str, number: int | None) -> None:
        """A hub numbers its summaries: a gap is one that the layer lost."""
        if number is None:  # an older hub's
            return
        last = self._last_of_hub.pop(hub, number)
        self._last_of_hub[hub] = number
        while len(self._last_of_hub) > HUBS_KEPT:
            self._last_of_hub.pop(next(iter(self._last_of_hub)))
        if number > last + 1:
            self._lost.set()

    async def _prime(self) -> None:
        """Read the fleet, and again where summaries were lost; who is in it, every few seconds."""
        whole, retry_s = True, RETRY_MIN_S
        while True:
            if whole:
                self._lost.clear()
            if not await self._load(self._load_fleet if whole else self._load_catalogue):
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            retry_s = RETRY_MIN_S
            if whole:
                whole_s = self._elapsed()
            with suppress(TimeoutError):
                async with asyncio.timeout(CATALOGUE_INTERVAL_S):
                    await self._lost.wait()
            whole = self._lost.is_set()
            if whole:
                await asyncio.sleep(max(0.0, CATALOGUE_INTERVAL_S - (self._elapsed() - whole_s)))

    async def _load(self, load: Load) -> bool:
        """Whether the database answered; what it knows is merged."""
        read_after = self._present.applied
        try:
            known = await asyncio.get_running_loop().run_in_executor(self._loader, load)
        except Exception as error:
            logger.warning("cannot read the fleet: %s; trying again in a moment", error)
            return False
        self.prime(known, read_after)
        return True

    async def _flush(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._news.wait()
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
