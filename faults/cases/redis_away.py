"""Redis stopped, frozen, emptied, full, and refusing; on PostgreSQL with two hubs on it.

Devices are not to notice any of it, and dashboards are to say what they cannot know.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import redis
from channels_redis.pubsub import RedisPubSubChannelLayer

from faults import BOTH, Row
from faults.acks import Acks
from faults.place import Place
from faults.process import held, peak_bytes
from faults.viewers import Viewer, Viewers
from tests.hubs import wait_until

TITLE = "Redis is stopped, frozen, emptied, full, or refuses"
ENGINES = BOTH

GROUP: Final = "asgi__group__live"
FAT_BYTES, FATS = 100_000, 640
"""Twice what Redis keeps by default for a subscriber that takes nothing."""
MEMORY_BOUND_BYTES: Final = 96 << 20


def run(place: Place) -> list[Row]:
    with Scene(place) as scene:
        scene.go_through()
        figures = {f"whole_after_{what}_s": took_s for what, took_s in scene.whole_s.items()}
        if scene.grown_bytes:
            figures["memory_grown_mb"] = scene.grown_bytes / 1e6
        hubs = "two hubs" if len(scene.hubs) > 1 else "one hub"
        most_s = max(scene.whole_s.values())
        return [
            place.row(
                scene.store,
                done=f"{', '.join(scene.whole_s)}: in turn, with {hubs} and {scene.devices} devices"
                f" on each; a hub was started while it was stopped{scene.froze()}",
                seen="no device was disconnected, and acks went on; dashboards said stale, and"
                f" were whole {most_s:.1f} s after its return, at most" + scene.grown(),
                figures=figures,
            )
        ]


class Scene:
    """Hubs on one Redis, and on each a fleet and a dashboard."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.devices = place.scale(3, 20)
        self.frozen_s = place.scale(1.0, 30.0)
        self.store = place.store()
        self.redis = place.redis()
        self.client = redis.Redis.from_url(self.redis.url)
        self.bearer = {"Authorization": f"Bearer {self.store.add_device('once')}"}
        self.posted = 0
        self.grown_bytes = 0
        self.whole_s: dict[str, float] = {}
        count = 1 if place.engine == "sqlite" else 2  # SQLite takes one
        key = place.rng.randbytes(32).hex()  # a session is good on all of them
        self.hubs = [
            place.hub(self.store, redis_url=self.redis.url, WEIR_SECRET_KEY=key)
            for _ in range(count)
        ]
        self.fleets = [
            place.fleet(
                *(hub, place.tokens(self.store, self.devices, f"fleet-{n}-"), "run"),
                *("--rate", "2", "--duration", "forever", "--wait", "60s"),
            )
            for n, hub in enumerate(self.hubs)
        ]
        self.acks = [Acks(fleet) for fleet in self.fleets]
        self.uids = [
            uid for (uid,) in self.store.rows("SELECT uid FROM devices_device WHERE uid <> 'once'")
        ]
        self.viewers = Viewers(self.store)
        self.watching: list[Viewer] = []

    def __enter__(self) -> Scene:
        self.viewers.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.viewers.__exit__(*exc)
        self.client.close()

    def go_through(self) -> None:
        self.watching = [viewer for hub in self.hubs for viewer in self.viewers.open(hub)]
        wait_until(lambda: self.whole(0), "dashboards show the devices of all hubs")
        with self.trouble("stopped", self.redis.start):
            self.redis.stop()
            self.start_a_hub_meanwhile()
        if len(self.hubs) > 1 or not self.place.short:
            with self.trouble("frozen", self.redis.thaw):
                self.redis.freeze()
                time.sleep(self.frozen_s)
        with self.trouble("emptied", lambda: None, stale=False):
            self.client.flushall()
            for kind in ("normal", "pubsub"):  # as a restart that took a moment
                self.client.client_kill_filter(_type=kind)
        with self.trouble("full", lambda: self.client.config_set("maxmemory", 0), stale=False):
            self.client.config_set("maxmemory-policy", "noeviction")
            self.client.config_set("maxmemory", 1)
            assert self.is_full()
        if not self.place.short:
            with self.trouble("refusing", lambda: self.allow("+publish")):
                self.allow("-publish")
        if len(self.hubs) > 1:
            self.freeze_a_subscriber()
        self.end()

    @contextmanager
    def trouble(
        self, what: str, mend: Callable[[], object], *, stale: bool = True
    ) -> Iterator[None]:
        """What is done within is wrong with Redis: devices go on meanwhile, dashboards after."""
        yield
        for viewer in self.watching if stale else ():
            wait_until(viewer.is_stale, f"they are stale: {what}")
        self.acks_go_on()
        self.post()
        mend()
        mended_s, since_ms = time.monotonic(), time.time_ns() // 1_000_000
        wait_until(lambda: self.whole(since_ms), f"they are whole again: {what}")
        self.whole_s[what] = time.monotonic() - mended_s
        self.acks_go_on()

    def whole(self, since_ms: int) -> bool:
        """Every dashboard shows every device as it is now, and what was said once."""
        return all(
            viewer.shows(self.uids, since_ms)
            and (not self.posted or viewer.value("once", "posted") == self.posted)
            for viewer in self.watching
        )

    def acks_go_on(self, *, reconnected: bool = False) -> None:
        for acks in self.acks:
            acks.mark(reconnected=reconnected)
        for acks in self.acks:
            acks.wait_s(self.devices)

    def post(self) -> None:
        """Bring the reading of a device that says nothing more for a while."""
        self.posted += 1
        answer = self.hubs[0].ask("/ingest/", f'{{"posted": {self.posted}}}', headers=self.bearer)
        assert answer.json["stored"] == 1, answer

    def start_a_hub_meanwhile(self) -> None:
        """Restart the last hub; whoever looks at it now gets a page, and is told that it is old."""
        hub = self.hubs[-1]
        assert hub.terminate() == 0
        self.acks[-1].mark()
        hub.start()
        self.acks[-1].wait_s(self.devices)
        page = hub.ask("/", headers={"Cookie": self.viewers.cookie(hub)})
        assert page.status == 200, page.status
        self.viewers.close(self.watching.pop())
        self.watching += self.viewers.open(hub)

    def allow(self, rule: str) -> None:
        self.client.acl_setuser("default", enabled=True, commands=[rule], nopass=True)

    def is_full(self) -> bool:
        try:
            self.client.set("anything", 1)
        except redis.exceptions.OutOfMemoryError:
            return True
        return False

    def freeze_a_subscriber(self) -> None:
        """The last hub stands still while more is said than anybody would keep for it."""
        hub = self.hubs[-1]
        before_bytes = max(held(each.pid).memory_bytes for each in self.hubs)
        message = {"type": "live.summary", "hub": "fat", "at": 0, "body": f"[{' ' * FAT_BYTES}]"}
        fat = RedisPubSubChannelLayer(hosts=[self.redis.url]).serialize(message)
        hub.send(signal.SIGSTOP)
        try:
            for _ in range(FATS):
                self.client.publish(GROUP, fat)
        finally:
            hub.send(signal.SIGCONT)
        since_ms = time.time_ns() // 1_000_000
        wait_until(lambda: self.whole(since_ms), "they are whole again: a hub stood still")
        after_bytes = max(peak_bytes(each.pid) for each in self.hubs)
        self.grown_bytes = after_bytes - before_bytes
        assert self.grown_bytes < MEMORY_BOUND_BYTES, f"{self.grown_bytes >> 20} MiB more"

    def froze(self) -> str:
        """What is to be said of how long it stood still."""
        return f", and frozen for {self.frozen_s:.0f} s" if "frozen" in self.whole_s else ""

    def grown(self) -> str:
        """What is to be said of memory."""
        if len(self.hubs) < 2:
            return ""
        said_mb, grown_mb = FATS * FAT_BYTES / 1e6, self.grown_bytes / 1e6
        return f"; {said_mb:.0f} MB said to a hub that stood still cost {grown_mb:.0f} MB"

    def end(self) -> None:
        results = [fleet.stop() for fleet in self.fleets]
        expected = [0] * (len(results) - 1) + [self.devices]  # the last hub was restarted
        assert [result["reconnects"] for result in results] == expected
        for hub in self.hubs:
            assert hub.terminate() == 0
