"""Tells dashboards what was stored: one summary an interval, to a group of the channel layer.

Best effort, after the ack. The latest value wins, so what is not yet told is merged, never queued;
a summary that is lost is made good by the next. It knows nothing of those who listen.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import orjson

from devices.tokens import Bearer
from ingest.metrics import COMMIT_SECONDS, MeanOf
from ingest.reading import Run
from ingest.storage import Outcome

logger = logging.getLogger(__name__)

GROUP: Final = "live"
SEND_TIMEOUT_S: Final = 5.0  # a layer that hangs longer is as good as gone
LAST_WORD_S: Final = 1.0  # the hub's end does not wait for a Redis that hangs
NONE_US: Final = 2**63  # after every reading: none was stored


_Told = tuple[dict[str, tuple[int, Any]], int]


class ChannelLayer(Protocol):
    """The part of a channel layer that the relay uses."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None: ...


class Presence:
    """What there is to tell of one device."""

    __slots__ = ("counts", "fresh", "name", "seen_ms", "since_us", "uid")

    def __init__(self, bearer: Bearer) -> None:
        self.uid = bearer.uid
        self.name = bearer.name
        self.seen_ms = 0
        self.fresh: dict[str, tuple[int, Any]] = {}
        self.since_us = NONE_US
        """The time of the earliest reading stored since what was told."""
        self.counts = [0, 0, 0]

    def summary(self) -> dict[str, Any]:
        stored, duplicate, rejected = self.counts
        return {
            "uid": self.uid,
            "name": self.name,
            "seen": self.seen_ms,
            "values": {m: [at_us / 1_000, value] for m, (at_us, value) in self.fresh.items()},
            "counts": {"stored": stored, "duplicate": duplicate, "rejected": rejected},
            "since": None if self.since_us == NONE_US else self.since_us / 1_000,
        }


class Relay:
    """Merges what was committed and sends it on. All but `stop` on the event loop."""

    def __init__(
        self, layer: ChannelLayer | None, hub: str, interval_s: float, now_ms: Callable[[], int]
    ) -> None:
        self.interval_s = interval_s
        self.sent = 0
        self.dropped = 0  # summaries that the layer did not take
        self._layer = layer
        self._hub = hub
        self._now_ms = now_ms
        self._presences: dict[int, Presence] = {}
        self._changed: set[int] = set()
        self._commit_s = MeanOf(COMMIT_SECONDS)
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="weir-relay")

    async def stop(self) -> None:
        """Tell what is left, and end."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self.tell(LAST_WORD_S, last=True)

    def note(self, outcome: Outcome) -> None:
        """Merge a committed batch. The latest by reading time stays, whenever it came."""
        now_ms = self._now_ms()
        for submission in outcome.written:
            presence = self._presence(submission.connection.bearer, now_ms)
            fresh = presence.fresh
            times_us: list[int] | None = None  # of columns, which share theirs: looked at once
            for run in submission.frame.runs:
                unstored = outcome.unstored.get(id(run))
                if unstored is not None:
                    run, times_us = _stored(run, unstored), None  # noqa: PLW2901
                if run.times_us is not times_us:
                    times_us = run.times_us
                    since_us, at_us, place = _span(times_us)
                if since_us < presence.since_us:
                    presence.since_us = since_us
                if times_us and (run.metric not in fresh or at_us >= fresh[run.metric][0]):
                    fresh[run.metric] = at_us, run.values[place]
        for settlement in outcome.settlements:
            if not settlement.fenced:
                counts = self._presence(settlement.connection.bearer, now_ms).counts
                counts[0] += settlement.stored
                counts[1] += settlement.duplicate
                counts[2] += settlement.rejected

    def _presence(self, bearer: Bearer, now_ms: int) -> Presence:
        presence = self._presences.get(bearer.device_id)
        if presence is None:
            presence = self._presences[bearer.device_id] = Presence(bearer)
        presence.seen_ms = now_ms
        self._changed.add(bearer.device_id)
        return presence

    def repeat(self) -> None:
        """With the next summary tell the counts of every device: somebody did not hear them all."""
        self._changed.update(self._presences)

    async def tell(self, within_s: float = SEND_TIMEOUT_S, *, last: bool = False) -> None:
        """Send one summary of what changed, encoded once; empty, it says the hub is alive.

        With the `last` one the hub is gone.
        """
        if self._layer is None:
            return
        changed, self._changed = self._changed, set()
        presences = [self._presences[device_id] for device_id in changed]
        body = orjson.dumps([presence.summary() for presence in presences]).decode()
        told = [(presence.fresh, presence.since_us) for presence in presences]
        for presence in presences:
            presence.fresh, presence.since_us = {}, NONE_US
        commit_s = self._commit_s()
        # The number tells a board which it did not hear. One that the layer did not take is told
        # with the next, under the same.
        message = {
            "type": "live.summary",
            "hub": self._hub,
            "number": self.sent + 1,
            "at": self._now_ms(),
            "commit_ms": None if commit_s is None else commit_s * 1_000,
            "body": body,
            "last": last,
        }
        try:
            async with asyncio.timeout(within_s):
                await self._layer.group_send(GROUP, message)
        except Exception as error:
            self._missed(changed, told, error)
        else:
            self.sent += 1
            if self._failing:
                logger.info("the channel layer takes summaries again")
            self._failing = False

    def _missed(self, changed: set[int], told: list[_Told], error: Exception) -> None:
        """What was not told goes with the next summary, unless something later came meanwhile."""
        self.dropped += 1
        if not self._failing:
            logger.warning("the channel layer takes no summary, dashboards are stale: %r", error)
        self._failing = True
        for device_id, (fresh, since_us) in zip(changed, told, strict=True):
            presence = self._presences[device_id]
            presence.since_us = min(presence.since_us, since_us)
            for metric, latest in fresh.items():
                if metric not in presence.fresh or presence.fresh[metric][0] < latest[0]:
                    presence.fresh[metric] = latest
        self._changed |= changed

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + self.interval_s, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            await self.tell()


def _span(times_us: list[int]) -> tuple[int, int, int]:
    """The earliest time, the latest, and where that is."""
    if len(times_us) == 1:
        return times_us[0], times_us[0], 0
    if not times_us:
        return NONE_US, 0, 0
    at_us = max(times_us)
    return min(times_us), at_us, times_us.index(at_us)


def _stored(run: Run, unstored: set[int]) -> Run:
    """What was stored of a run: nothing where all of it was refused (an empty set)."""
    places = [place for place in range(len(run.times_us)) if unstored and place not in unstored]
    values: list[Any] = [run.values[place] for place in places]
    times_us = [run.times_us[place] for place in places]
    return Run(run.metric, run.kind, times_us, values, places)
