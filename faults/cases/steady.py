"""Half an hour of everything at once, at a steady rate: nothing that the hub holds goes on growing.

The short form is half a minute, and looks whether what was held is given back at the end.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from faults import BOTH, Row
from faults.levels import Level, level
from faults.place import Place
from faults.poster import Poster
from faults.process import held
from faults.viewers import Viewers
from faults.wire import Wire
from tests.hubs import Hub, wait_until

TITLE = "Half an hour of mixed load"
ENGINES = BOTH

FLEETS = (
    ("samples", 20, ("--rate", "5", "--samples", "5", "--state")),
    ("columns", 5, ("--rate", "1", "--samples", "100", "--form", "columns")),
    ("plain", 10, ("--rate", "5", "--plain")),
)
"""By name, how many devices, and how they speak; the first are those that are cut off."""

POST_EVERY_S = 0.2


class Look(NamedTuple):
    """What a hub holds at a moment; the WAL is SQLite's, PostgreSQL bounds its own."""

    memory_mb: float
    descriptors: float
    threads: float
    tasks: float
    wal_mb: float


SPARE = Look(memory_mb=16, descriptors=16, threads=8, tasks=16, wal_mb=16)
"""How far a figure may be above another that it is held against: a connection may just have come,
and pools have threads that they keep."""

WAL_MOST_MB = 256.0
"""Four times what SQLite is told to check-point at."""


def run(place: Place) -> list[Row]:
    lasts_s, interval_s, cut_s = place.scale((20.0, 1.0, 8.0), (1_800.0, 5.0, 20.0))
    store = place.store()
    hub = place.hub(store)
    before = look(hub)
    with ExitStack() as stack:
        load = Load(place, hub, stack)
        looks = load.watched(lasts_s, interval_s, cut_s)
    results = [fleet.stop() for fleet in place.fleets]
    levels = {name: level(found) for name, *found in zip(Look._fields, *looks, strict=True)}
    if not place.short:
        for name, found in levels.items():
            assert found.holds(getattr(SPARE, name)), f"{name} goes on growing: {found}"
    assert max(found.wal_mb for found in looks) < WAL_MOST_MB
    wait_until(lambda: is_given_back(look(hub), before), "all is given back", within_s=120)
    assert load.poster.answers
    assert load.poster.refused
    assert not any(viewer.closed for viewer in load.viewers)
    assert hub.terminate() == 0
    acks_ms = max(result["ack_p99_ms"] for result in results)
    return [
        place.row(
            store,
            done=f"{lasts_s / 60:.2g} min of samples, columns, plain frames and posts, some refused"
            f", and {load.DASHBOARDS} dashboards; most devices were cut off {load.cuts} times",
            seen=f"{sum(result['readings_per_s'] for result in results):,.0f} readings/s, ack p99"
            f" {acks_ms:,.0f} ms; second third and last third: {told(levels)}",
            figures={
                **{f"{name}_second": found.second for name, found in levels.items()},
                **{f"{name}_last": found.last for name, found in levels.items()},
                "ack_p99_ms": acks_ms,
            },
            ledgers=(load.poster.path,),
        )
    ]


class Load:
    """Everything that speaks to the hub, until `stack` is closed; fleets go on until stopped."""

    DASHBOARDS = 3

    def __init__(self, place: Place, hub: Hub, stack: ExitStack) -> None:
        self.cuts = 0
        self._rng = place.rng
        self._hub = hub
        store = hub.store
        self._wire = stack.enter_context(Wire(hub.port))
        for name, devices, arguments in FLEETS:
            place.fleet(
                *(hub, place.tokens(store, devices, f"{name}-"), "run", *arguments),
                *("--duration", "forever", "--wait", "60s"),
                url=self._wire.url if name == "samples" else "",
            )
        viewers = stack.enter_context(Viewers(store))
        self.viewers = viewers.open(hub, self.DASHBOARDS)
        path, token = place.folder / "posted", store.add_device("poster")
        self.poster = Poster(hub, "poster", token, path, place.rng, POST_EVERY_S)
        stack.enter_context(self.poster)
        devices = sum(devices for _, devices, _ in FLEETS)
        wait_until(
            lambda: hub.figures()["weir_devices_connected"] >= devices, "all devices are let in"
        )

    def watched(self, lasts_s: float, interval_s: float, cut_s: float) -> list[Look]:
        """Look every so often, for so long, and cut some devices off about every `cut_s`."""
        ends_s, looks = time.monotonic() + lasts_s, [look(self._hub)]
        cuts_s = time.monotonic() + cut_s / 2
        while time.monotonic() < ends_s:
            time.sleep(interval_s)
            looks.append(look(self._hub))
            if time.monotonic() >= cuts_s:
                self._wire.cut()
                self.cuts += 1
                cuts_s = time.monotonic() + self._rng.uniform(0.5, 1.5) * cut_s
        return looks


def look(hub: Hub) -> Look:
    of_process = held(hub.pid)
    wal = Path(hub.store.url.removeprefix("sqlite:///") + "-wal")
    return Look(
        of_process.memory_bytes / 1e6,
        of_process.descriptors,
        of_process.threads,
        hub.figures()["weir_tasks"],
        wal.stat().st_size / 1e6 if wal.exists() else 0.0,
    )


def is_given_back(now: Look, before: Look) -> bool:
    """Whether a hub that nobody speaks to holds what it did; memory stays with the process."""
    return (
        now.descriptors <= before.descriptors + SPARE.descriptors
        and now.threads <= before.threads + SPARE.threads
        and now.tasks <= before.tasks + SPARE.tasks
    )


def told(levels: dict[str, Level]) -> str:
    words = (
        ("memory_mb", "memory", " MB"),
        ("wal_mb", "WAL", " MB"),
        ("descriptors", "descriptors", ""),
        ("threads", "threads", ""),
        ("tasks", "tasks", ""),
    )
    return ", ".join(
        f"{word} {levels[name].second:.0f} and {levels[name].last:.0f}{unit}"
        for name, word, unit in words
        if levels[name].last
    )
