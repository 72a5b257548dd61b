"""PostgreSQL is stopped or killed and started again, many times, and once is away for long."""

from __future__ import annotations

import time
from statistics import median

from faults import Row
from faults.acks import Acks
from faults.place import Place
from faults.process import held, peak_bytes
from tests.hubs import Hub, wait_until
from tests.servers import START_S, CannotStart, Postgres

TITLE = "PostgreSQL is killed, restarted, and away"
ENGINES = ("postgresql",)

MEMORY_BOUND_BYTES = 256 << 20
"""More than this a hub never needs for what waits: its buffer is bounded."""


def run(place: Place) -> list[Row]:
    times, devices = place.scale((2, 5), (20, 50))
    away_s = place.scale(3.0, 60.0)
    server = place.postgres()
    store = place.store(server)
    hub = place.hub(store)
    fleet = place.fleet(
        *(hub, place.tokens(store, devices), "run", "--rate", "10", "--samples", "5"),
        *("--duration", "forever", "--wait", "60s"),
    )
    acks = Acks(fleet)
    acks.wait_s(devices)
    before_bytes = held(hub.pid).memory_bytes
    back_s = []
    for n in range(times):
        time.sleep(place.rng.uniform(0, 2))
        end = server.kill if n % 2 else server.stop
        end()
        back_s.append(_back_s(server, hub, acks, devices))
    server.kill()
    wait_until(lambda: hub.ask("/readyz").status == 503, "the hub says that it is away")
    time.sleep(away_s)
    assert hub.figures()["weir_devices_connected"] == devices
    long_s = _back_s(server, hub, acks, devices)
    grown_bytes = peak_bytes(hub.pid) - before_bytes
    assert grown_bytes < MEMORY_BOUND_BYTES, grown_bytes
    result = fleet.stop()
    assert (result["reconnects"], result["dropped"], result["stopped"]) == (0, 0, 0), result
    assert hub.terminate() == 0
    return [
        place.row(
            store,
            done=f"{times} times stopped or killed (SIGKILL) and started again, and away for"
            f" {away_s:g} s, under {devices} devices",
            seen="no device was disconnected; all had acks"
            f" {median(back_s):.1f} s after it took connections again (median), at most"
            f" {max(back_s):.1f} s, and {long_s:.1f} s after the long absence; memory grew by"
            f" {grown_bytes / 1e6:.0f} MB at most",
            figures={
                "back_median_s": median(back_s),
                "back_most_s": max(back_s),
                "back_after_long_s": long_s,
                "memory_grown_mb": grown_bytes / 1e6,
            },
        )
    ]


def _back_s(server: Postgres, hub: Hub, acks: Acks, devices: int) -> float:
    """Start the server; from when it takes connections until every device had an ack."""
    start(server)
    acks.mark(reconnected=False)
    took_s = acks.wait_s(devices)
    wait_until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")
    return took_s


def start(server: Postgres) -> None:
    """What a killed server leaves behind keeps the next from starting for a moment."""
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            return server.start()
        except CannotStart:
            if time.monotonic() > deadline_s:
                raise
