"""The hub's clock jumps a day and an hour ahead and back, an hour back, and begins in 1970.

The devices' clocks are right all the time. While the hub's is behind what it stored itself it takes
nothing, and disconnects nobody.
"""

from __future__ import annotations

import time
from typing import Final

from faults import BOTH, Row
from faults.acks import Acks
from faults.clock import FalseClock
from faults.place import Place
from faults.raw import RawSocket, bearer
from faults.viewers import Viewer, Viewers
from tests.hubs import Hub, Store, manage, wait_until

TITLE = "The clock jumps +25 h, −1 h, and starts in 1970"
ENGINES = BOTH

HOUR_S: Final = 3_600


def run(place: Place) -> list[Row]:
    devices = place.scale(3, 50)
    scene = Scene(place, devices)
    with scene.viewers:
        scene.open_viewers()
        scene.ahead()
        scene.back_from_ahead()
        if not place.short or place.engine == "sqlite":  # it is one code on both
            scene.behind()
        scene.in_1970()
        result = scene.fleet.stop()
    assert result["reconnects"] == devices  # the hub was restarted once
    assert result["rejected"] == 0
    assert result["errors"].keys() <= {"busy"}, result  # what was under way when the clock jumped
    assert scene.hub.terminate() == 0
    return [
        place.row(
            scene.store,
            done=f"{', '.join(scene.again_s)}: in turn, under {devices} devices; right again"
            " after each",
            seen="no connection was closed for it, no true time was refused; while the clock was"
            " behind what was stored, acks waited and `/readyz` said so; sealed a day ahead,"
            " readings were late, and exact; first ack after the clock was right again"
            f" {max(scene.again_s.values()):.1f} s at most",
            figures={
                f"ack_after_{what.replace(' ', '_')}_s": took_s
                for what, took_s in scene.again_s.items()
            },
        )
    ]


class Scene:
    """A hub whose clock is false at will, a fleet whose clock is right, and a dashboard."""

    def __init__(self, place: Place, devices: int) -> None:
        self.devices = devices
        self.hold_s = place.scale(2.0, 60.0)
        self.clock = FalseClock(place.folder)
        self.store: Store = place.store()
        self.late_comer = self.store.add_device("late-comer")
        self.hub: Hub = place.hub(self.store, **self.clock.options)
        self.fleet = place.fleet(
            *(self.hub, place.tokens(self.store, devices), "run"),
            *("--rate", "2", "--duration", "forever", "--wait", "60s"),
        )
        self.acks = Acks(self.fleet)
        self.viewers = Viewers(self.store)
        self.viewer: Viewer
        self.uids = [
            uid
            for (uid,) in self.store.rows("SELECT uid FROM devices_device WHERE uid LIKE 'sim-%%'")
        ]
        self.again_s: dict[str, float] = {}

    def open_viewers(self) -> None:
        [self.viewer] = self.viewers.open(self.hub)
        wait_until(lambda: self.viewer.shows(self.uids, 0), "the dashboard shows all devices")

    def ahead(self) -> None:
        """Acks go on, and what is stored is sealed as if its time was long over."""
        self.clock.set(25 * HOUR_S)
        self.acks_go_on()
        wait_until(lambda: self.sealed_through_s() > time.time() + HOUR_S, "sealing ran ahead", 120)
        self.acks_go_on()  # and is late from here on
        self.hold()

    def back_from_ahead(self) -> None:
        """Only somebody who knows can say that it is the newest commit that was wrong."""
        self.clock.set(0)
        self.takes_nothing()
        self.acks.mark(reconnected=False)
        manage(self.store.url, "trustclock", "--no-input")
        self.again("25 h ahead")

    def behind(self) -> None:
        self.clock.set(-HOUR_S)
        self.takes_nothing()
        self.hold()
        self.acks.mark(reconnected=False)
        self.clock.set(0)
        self.again("1 h behind")

    def in_1970(self) -> None:
        """The hub is started before its clock is told the time."""
        assert self.hub.terminate() == 0
        self.viewers.close(self.viewer)
        self.clock.set_to_1970()
        self.hub.start()
        [self.viewer] = self.viewers.open(self.hub)
        self.takes_nothing()
        self.acks.mark()
        self.clock.set(0)
        self.again("begun in 1970")

    def acks_go_on(self) -> None:
        self.acks.mark(reconnected=False)
        self.acks.wait_s(self.devices)

    def takes_nothing(self) -> None:
        """It says so; and whoever comes is told to come again, and not that it may not."""
        wait_until(self.is_behind, "the hub knows that its clock is behind")
        assert self.hub.ask("/readyz").status == 503
        with RawSocket.open(self.hub.port, headers=bearer(self.late_comer)) as raw:
            heard = raw.ask({"type": "hello"})
            assert heard["type"] == "welcome" or heard["code"] == "unavailable", heard

    def is_behind(self) -> bool:
        return self.hub.figures()["weir_clock_behind_seconds"] > 0

    def hold(self) -> None:
        """For as long as somebody who measures silence by the wrong clock needs to act on it."""
        time.sleep(self.hold_s)
        self.look()

    def again(self, what: str) -> None:
        """The clock is right again: all devices have an ack, and the dashboard shows it."""
        self.again_s[what] = self.acks.wait_s(self.devices)
        assert self.hub.ask("/readyz").status == 200
        self.look()

    def look(self) -> None:
        """The dashboard goes on, and shows devices as seen at a time that is not to come."""
        assert not self.viewer.closed, self.viewer.last_word
        updates = self.viewer.updates
        wait_until(
            lambda: self.viewer.updates > updates and not self.viewer.is_stale(),
            "the dashboard is told",
        )

    def sealed_through_s(self) -> float:
        if self.store.is_sqlite:
            return self.store.number("SELECT sealing_from FROM ingest_linestate") / 1e6
        return self.store.number(
            "SELECT extract(epoch FROM sealing_from)::bigint FROM ingest_linestate"
        )
