"""All devices cut off at once, again and again, and the hub restarted under them."""

from __future__ import annotations

import time

from faults import BOTH, Row
from faults.acks import Acks
from faults.place import Place
from faults.wire import Wire
from tests.hubs import wait_until

TITLE = "All devices are cut off at once"
ENGINES = BOTH


def run(place: Place) -> list[Row]:
    devices, cuts = place.scale((100, 2), (1_000, 5))
    store = place.store()
    hub = place.hub(store)
    with Wire(hub.port) as wire:
        fleet = place.fleet(
            *(hub, place.tokens(store, devices), "run", "--rate", "1", "--duration", "forever"),
            *("--wait", "60s"),
            url=wire.url,
        )
        acks = Acks(fleet)
        acks.wait_s(devices)
        back_s = []
        for _ in range(cuts):
            time.sleep(place.rng.uniform(0, 3))
            acks.mark()
            assert wire.cut() == devices
            back_s.append(acks.wait_s(devices))
        acks.mark()
        assert hub.terminate() == 0
        hub.start()
        restarted_s = acks.wait_s(devices)
        wait_until(
            lambda: hub.figures()["weir_devices_connected"] == devices, "no connection is left over"
        )
        result = fleet.stop()
    assert result["reconnects"] >= devices * (cuts + 1)
    assert result["stopped"] == result["dropped"] == 0
    return [
        place.row(
            store,
            done=f"{devices:,} devices, {cuts} times, and a restart under them",
            seen=f"the last device had its ack {max(back_s):.1f} s after the cut at most,"
            f" {restarted_s:.1f} s after the hub was told to end",
            figures={"back_most_s": max(back_s), "back_after_restart_s": restarted_s},
        )
    ]
