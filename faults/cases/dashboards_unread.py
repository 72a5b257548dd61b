"""Fifty dashboards that do not read and fifty that read slowly, beside devices and good ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from faults import Row
from faults.place import Place
from faults.process import held
from faults.viewers import Viewer, Viewers
from tests.hubs import Hub, wait_until

TITLE = "Dashboards do not read, or read slowly"
ENGINES = ("sqlite",)  # dashboards are told from memory

GOOD, DEAF, SLOW = 3, 50, 50
SLOW_READS: Final = 4
"""A slow one needs this many seconds for what there is to draw."""
SHORT: Final[dict[str, Any]] = {"WEIR_SEEN_TIMEOUT_S": 12}
MEMORY_BOUND_BYTES: Final = 64 << 20
LOOK_S: Final = 0.1


def run(place: Place) -> list[Row]:
    pairs = place.scale(1, 5)
    store = place.store()
    hub = place.hub(store, **place.scale(SHORT, {}))
    with Viewers(store) as viewers:
        scene = Scene(place, hub, viewers, viewers.open(hub, GOOD))
        if not place.short:
            scene.phase(crowded=False)  # the first one pays for what a process needs once
        phases = [(scene.phase(crowded=False), scene.phase(crowded=True)) for _ in range(pairs)]
        for viewer in scene.good:
            assert not viewer.closed, viewer.last_word
    assert hub.terminate() == 0
    alone_ms = median(alone.p99_ms for alone, _ in phases)
    ratio = median(crowded.p99_ms / alone.p99_ms for alone, crowded in phases)
    grown = median(crowded.peak_bytes - alone.peak_bytes for alone, crowded in phases)
    assert grown < MEMORY_BOUND_BYTES, f"{grown / (1 << 20):.0f} MiB more"
    figures = {
        "ack_p99_alone_ms": alone_ms,
        "ack_p99_ratio": ratio,
        "memory_grown_mb": grown / 1e6,
        "longest_gap_alone_s": max(alone.longest_gap_s for alone, _ in phases),
        "longest_gap_crowded_s": max(crowded.longest_gap_s for _, crowded in phases),
    }
    return [
        place.row(
            store,
            done=f"{DEAF} that do not read and {SLOW} that read slowly, beside {scene.devices}"
            f" devices and {GOOD} good dashboards; {pairs} times with and without, in turn",
            seen=f"memory {grown / 1e6:+.0f} MB; ack p99 {alone_ms:.0f} ms without them,"
            f" {ratio:.2f} times that with them (median); good dashboards were told at least"
            f" every {figures['longest_gap_crowded_s']:.1f} s; those that did not read were closed",
            figures=figures,
        )
    ]


@dataclass(frozen=True)
class Phase:
    """What was measured while a fleet ran once."""

    p99_ms: float
    peak_bytes: int
    longest_gap_s: float


class Scene:
    """A fleet that runs again and again, and good dashboards that look at it all the time."""

    def __init__(self, place: Place, hub: Hub, viewers: Viewers, good: list[Viewer]) -> None:
        self.devices = place.scale(20, 100)
        self.good = good
        self._place, self._hub, self._viewers = place, hub, viewers
        self._seconds = place.scale(4, 25)
        self._tokens = place.tokens(hub.store, self.devices)
        self._uids = [uid for (uid,) in hub.store.rows("SELECT uid FROM devices_device")]

    def phase(self, *, crowded: bool) -> Phase:
        """Let the fleet run once; with all the others looking on, or the good ones alone."""
        crowd = self._crowd() if crowded else []
        fleet = self._place.fleet(
            *(self._hub, self._tokens, "run", "--rate", "2", "--wait", "60s"),
            *("--duration", f"{self._seconds}s"),
        )
        since_ms = time.time_ns() // 1_000_000
        wait_until(lambda: self._told_since(since_ms), "good dashboards show every device")
        for viewer in self.good:
            viewer.watch()
        peak_bytes = 0
        while fleet.runs:
            peak_bytes = max(peak_bytes, held(self._hub.pid).memory_bytes)
            time.sleep(LOOK_S)
        result = fleet.result()
        longest_gap_s = max(viewer.longest_gap_s for viewer in self.good)
        assert (result["reconnects"], result["unacked"]) == (0, 0)
        if crowded:
            self._disperse(crowd)
        return Phase(result["ack_p99_ms"], peak_bytes, longest_gap_s)

    def _told_since(self, since_ms: int) -> bool:
        return all(viewer.shows(self._uids, since_ms) for viewer in self.good)

    def _crowd(self) -> list[Viewer]:
        whole_bytes = sum(len(str(device)) for device in self.good[0].devices.values())
        crowd = self._viewers.open(self._hub, DEAF, 0)
        return crowd + self._viewers.open(self._hub, SLOW, whole_bytes // SLOW_READS)

    def _disperse(self, crowd: list[Viewer]) -> None:
        """The slow ones were told something; who did not read is let go by the hub itself."""
        for viewer in crowd:
            if viewer.bytes_per_s:
                assert not viewer.closed, viewer.last_word
                wait_until(viewer.has_drawn, "a slow one has drawn something")
        wait_until(lambda: dashboards(self._hub) == GOOD + SLOW, "who does not read is closed")
        self._viewers.close(*crowd)
        wait_until(lambda: dashboards(self._hub) == GOOD, "who went away is forgotten")


def dashboards(hub: Hub) -> float:
    return hub.figures()["weir_dashboards"]
