"""The board: one per process, between the channel layer and this process's dashboards.

    hubs ──group "live"──▶ listener ─▶ board (merges into the present) ──once a tick──▶ viewers
                           database ─▶ priming ─┘◀─ tailing ◀─ database

It hears the group through one `listener`, so a hundred dashboards cost the layer one member. What
was said while it could not hear, or was lost on the way, it reads from the database. Knows nothing
of ingestion; the database it sees only through the loaders it is given.
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

from dashboards.live.charts import Chart
from dashboards.live.hubs import Hubs
from dashboards.live.listener import ASK, ChannelLayer, Listener
from dashboards.live.present import Changes, DevicePresent, Known, Present
from dashboards.live.priming import Load, Priming
from dashboards.live.subscription import Subscription
from dashboards.live.tailing import LoadTails, Tailing
from dashboards.live.tails import Tails
from dashboards.live.viewers import Audiences, Viewer

logger = logging.getLogger(__name__)

# A silent board still says that it is there, so that a browser can tell a quiet fleet from a
# connection that is gone without a word.
HEARTBEAT_S = 2.0
# Several hubs' summaries become one update an interval. A little less than one, so that the hubs'
# clock sets the pace and not the board's.
PACE = 0.9
# The line is stale when no hub has spoken for this many intervals; each speaks every interval.
STALE_INTERVALS = 4
STALE_MIN_S = 4.0
# A hub that was silent for so long is gone, and may have stored last what it never told. Not at
# once: all dashboards fetch history then, which a hub that is merely slow could do without.
GONE_INTERVALS = 30
GONE_MIN_S = 30.0
# Dashboards are sent their updates one after the other, so far apart, and within such a part of an
# interval: a hundred messages in one go would keep devices waiting for their acks.
APART_S = 0.002
SPREAD = 0.2
# Said by a clock that was set back since: times go on from where it is now.
SET_BACK_MS = 5_000


class Board:
    """The present of the fleet, kept current, handed to viewers as fast as each can take it."""

    def __init__(
        self,
        channel_layer: ChannelLayer,
        clock: Callable[[], float],
        *,
        load_fleet: Load,
        load_catalogue: Load,
        load_tails: LoadTails,
        interval_s: float = 1.0,
        elapsed: Callable[[], float] = time.monotonic,
        repeat: Callable[[], None] = lambda: None,
    ) -> None:
        """`clock` gives Unix time in seconds and may be set at any time, `elapsed` those of a clock
        that never is. `load_fleet` gives all devices with their latest values, `load_catalogue`
        without, `load_tails` what charts end in; all in a thread of the board's own. `repeat` has
        this process's hub say again what it counted: some board did not hear it."""
        self.interval_s = interval_s
        self.summaries = 0
        self.summaries_refused = 0
        self.updates = 0
        self.merged = 0
        self.primed = False
        self._clock, self._elapsed = clock, elapsed
        self._repeat = repeat
        self._present = Present()
        self._viewers: set[Viewer] = set()
        self._audiences = Audiences(self._present)
        self._news = asyncio.Event()
        self._heard_s = elapsed()
        self._time_ms = 0  # the last that was given to a tick or a snapshot; each is later
        self._stale_s = max(STALE_INTERVALS * interval_s, STALE_MIN_S)
        self._hubs = Hubs(interval_s, max(GONE_INTERVALS * interval_s, GONE_MIN_S))
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="board")
        self._priming = Priming(
            self._loader,
            load_fleet=load_fleet,
            load_catalogue=load_catalogue,
            applied=lambda: self._present.applied,
            merge=self.prime,
            elapsed=elapsed,
        )
        self._erasures = 0
        self._erased = False  # and the values there are not known yet
        self._tick_ms = self._next_ms()
        self.tails = Tails(self._tick_ms)
        self.tailing = Tailing(self.tails, load_tails, self._loader, elapsed)
        self._listener = Listener(
            channel_layer,
            elapsed,
            silence_s=2 * self._stale_s,
            on_join=self._lose,
            on_message=self._merge,
        )
        self._tasks: list[asyncio.Task[None]] = []

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
                ("prime", self._priming.run),
                ("flush", self._flush),
            )
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self.tailing.stop()
        self._loader.shutdown(wait=False, cancel_futures=True)

    def prime(self, known: Known, read_after: int, *, with_values: bool = True) -> None:
        """Merge what the database knew when `read_after` summaries had been applied."""
        if self.primed and known.erasures != self._erasures:
            self._erased = True
            self.tails.lose()
        self._erasures = known.erasures
        erased = self._erased and with_values
        self._present.prime(known.devices, read_after, self._now_ms(), erased=erased)
        if erased:
            self._erased = False
        elif self._erased:
            self._priming.ask_whole()
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

    def open(self) -> Viewer:
        """A viewer, which is told nothing before it subscribes. It is to be closed."""
        viewer = Viewer()
        self._viewers.add(viewer)
        return viewer

    def close(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        self._audiences.leave(viewer)
        self.chart(viewer, ())

    def subscribe(self, viewer: Viewer, asked: Subscription) -> None:
        """The next message is the snapshot of what is asked for."""
        viewer.asked = asked
        self.chart(viewer, asked.charts)
        viewer.wake.set()

    def chart(self, viewer: Viewer, charts: tuple[Chart, ...]) -> None:
        """What the viewer charts from now on, and nothing else."""
        self.tails.chart(viewer.charting, charts, self._now_ms())

    def message(self, viewer: Viewer) -> tuple[int, str]:
        """Its time, and what the viewer is to be sent next: it was woken, and has seen the last."""
        viewer.sent_s = self._elapsed()
        if viewer.asked is not None:
            return self._snapshot(viewer, viewer.asked)
        return self._update(viewer)

    def _snapshot(self, viewer: Viewer, asked: Subscription) -> tuple[int, str]:
        viewer.asked = None
        audience = self._audiences.enter(viewer, asked.selection)
        viewer.forget_changes()
        viewer.interval_s = asked.interval_ms / 1000
        slower_s = viewer.interval_s if viewer.interval_s > self.interval_s else 0.0
        about = {
            "interval_ms": round(max(viewer.interval_s, self.interval_s) * 1000),
            "heartbeat_ms": round((slower_s + self.interval_s * PACE + HEARTBEAT_S) * 1000),
        }
        return self._message("snapshot", self._next_ms(), about, audience.whole())

    def _update(self, viewer: Viewer) -> tuple[int, str]:
        """What brings the viewer from what it was last sent to the last tick."""
        assert viewer.audience is not None
        changed, removed = viewer.changed, viewer.removed
        viewer.forget_changes()
        self.updates += 1
        about = {"removed": sorted(removed)} if removed else {}
        fragments = viewer.audience.joined(changed)
        tails = self.tails.tails_for(viewer.charting, self._tick_ms)
        return self._message("update", self._tick_ms, about, fragments, tails)

    def _message(
        self,
        kind: str,
        at_ms: int,
        about: dict[str, Any],
        fragments: str,
        tails: Sequence[str] = (),
    ) -> tuple[int, str]:
        head = {
            "type": kind,
            "at": at_ms,
            "stale_since": self.stale_since_ms(),
            "commit_ms": self._hubs.commit_ms(self._elapsed()),
            **about,
        }
        told = f',"tails":[{",".join(tails)}]' if tails else ""
        return at_ms, f'{orjson.dumps(head).decode()[:-1]},"devices":[{fragments}]{told}}}'

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _next_ms(self) -> int:
        """The time now, and later than any that was given before."""
        now_ms = self._now_ms()
        if now_ms < self._time_ms - SET_BACK_MS:
            self._lose()
            self._time_ms = now_ms
        self._time_ms = max(now_ms, self._time_ms + 1)
        return self._time_ms

    def _lose(self) -> None:
        """Something happened that no summary told of."""
        self._priming.ask_whole()
        self.tails.lose()

    def _merge(self, message: dict[str, Any]) -> None:
        if message.get("type") == ASK:
            self._repeat()
            return
        try:
            hub, body = message["hub"], orjson.loads(message["body"])
            self._present.apply(hub, body, self._now_ms())
        except (KeyError, TypeError, ValueError):
            self.summaries_refused += 1
            logger.exception("a summary that cannot be read; is an older hub in this group?")
            return
        self.tails.hear(body)
        self.summaries += 1
        self._heard_s = self._elapsed()
        self._news.set()
        number, commit_ms = message.get("number"), message.get("commit_ms")
        missed = self._hubs.missed(hub, number)
        lost = self._hubs.hear(hub, number, commit_ms, self._heard_s)
        if lost:
            self._lose()
        if lost or missed:
            self._listener.ask()
        if message.get("last"):
            self._hubs.forget(hub)
            self._present.lose(hub)

    async def _flush(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._news.wait()
            self._news.clear()
            began_s = self._elapsed()
            await self._tick()
            spent_s = self._elapsed() - began_s
            await asyncio.sleep(max(0.0, self.interval_s * PACE - spent_s))

    async def _tick(self) -> None:
        """Offer what changed, with what charts end in then, to each viewer whose time it is."""
        for hub in self._hubs.lose_silent(self._elapsed()):
            self._present.lose(hub)
            self._lose()
        changes = self._present.take_changes()
        tick_ms = self._next_ms()
        self.tails.forget(changes.removed)
        self.tails.tick(tick_ms, several_hubs=self._hubs.several)
        await self.tailing.at(tick_ms)
        self._tick_ms = tick_ms
        due = self._offer(changes)
        apart_s = min(APART_S, self.interval_s * SPREAD / max(len(due), 1))
        next_s = self._elapsed()
        for viewer in due:
            viewer.wake.set()
            next_s += apart_s
            await asyncio.sleep(max(0.0, next_s - self._elapsed()))

    def _offer(self, changes: Changes) -> list[Viewer]:
        """Give all viewers what changed; whose time it is to be sent something."""
        due, before_s = [], self._elapsed() + self.interval_s / 2
        for audience in self._audiences:
            changed, removed = audience.take(changes)
            for viewer in audience.viewers:
                self.merged += viewer.merge(changed, removed)
                if viewer.sent_s + viewer.interval_s <= before_s:
                    due.append(viewer)
        return due
