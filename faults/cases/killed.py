"""SIGKILL of the hub at random moments of a stream, in its start and its sealing too."""

from __future__ import annotations

import time
from statistics import median

from faults import BOTH, Row
from faults.acks import Acks
from faults.intact import intact
from faults.place import Place
from tests.hubs import Hub, wait_until

TITLE = "The hub is killed (SIGKILL)"
ENGINES = BOTH

FORERUN_S = 8.0
"""From the fleet's start to the end of its first minute: then sealing begins to be at work."""

IN_START = 0.2
"""This share of the kills meets a hub that starts; it has some two seconds of it."""


def run(place: Place) -> list[Row]:
    kills, devices = place.scale((3, 10), (50, 50))
    store = place.store()
    # The devices' clocks are behind by what the hub grants: minutes end at moments of our choice,
    # and small slices keep sealing busy until the next.
    behind_s = round((time.time() + FORERUN_S) % 60) + 60
    hub = place.hub(store, WEIR_SEAL_GRACE_S=behind_s, WEIR_SEAL_SLICE_READINGS=1_000)
    fleet = place.fleet(
        *(hub, place.tokens(store, devices), "run"),
        *("--rate", "20", "--samples", "5", "--state", "--behind", f"{behind_s}s"),
        *("--duration", "forever", "--wait", "60s", "--spool", "100000"),
    )
    acks = Acks(fleet)
    wait_until(lambda: store.readings() > 0, "readings arrive")
    first_s = [_kill(place, hub, acks) for _ in range(kills)]
    acks.wait_s(devices)
    wait_until(lambda: store.number("SELECT count(*) FROM ingest_rollup") > 0, "sealing works", 120)
    result = fleet.stop()
    assert result["reconnects"] >= kills
    assert result["dropped"] == 0
    assert hub.terminate() == 0
    figures = {"first_ack_median_s": median(first_s), "first_ack_most_s": max(first_s)}
    return [
        place.row(
            store,
            done=f"{kills} times, at random, in a stream of {devices} devices, while it seals",
            seen=f"first ack {median(first_s):.1f} s after the restart (median), at most"
            f" {max(first_s):.1f} s; {intact(store)}",
            figures=figures,
        )
    ]


def _kill(place: Place, hub: Hub, acks: Acks) -> float:
    """Kill the hub at some moment and start it again; the time from its start to the first ack."""
    time.sleep(place.rng.uniform(0, 3))
    hub.kill()
    if place.rng.random() < IN_START:
        hub.launch()
        time.sleep(place.rng.uniform(0, 2))
        hub.kill()
    acks.mark()
    hub.launch()
    return acks.wait_s()
