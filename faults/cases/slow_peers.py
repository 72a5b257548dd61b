"""Peers that are gone without a word, that do not read, that send byte by byte, that say nothing.

Each is let go within the time that the documents give it, and costs its neighbours nothing.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from faults import Row
from faults.abuse import hello
from faults.acks import Acks
from faults.place import Place
from faults.process import held
from faults.raw import RawSocket, bearer, request, said
from faults.wire import Wire
from tests.hubs import DEADLINE_S, Hub, Store, wait_until

TITLE = "Peers are half-open, silent, or slow"
ENGINES = ("sqlite",)  # none of it reaches the database

LET_GO_S: Final = DEADLINE_S + 90
"""Above all times that the hub gives a peer: 60 s to take something, 50 s to answer a ping."""
SHORT: Final[dict[str, Any]] = {
    "WEIR_PING_S": 1,
    "WEIR_PONG_TIMEOUT_S": 10,
    "WEIR_STALL_TIMEOUT_S": 5,
}
DRIP_S: Final = 0.004
"""Between two bytes: a handshake and a frame take two seconds."""
LOOK_S: Final = 0.25
MEMORY_BOUND_BYTES: Final = 64 << 20


def run(place: Place) -> list[Row]:
    devices, sockets = place.scale((3, 100), (20, 1_000))
    store = place.store()
    hub = place.hub(store, **place.scale(SHORT, {}))
    near = place.fleet(*(hub, place.tokens(store, devices, "near-"), "run"), *STREAM)
    acks = Acks(near)
    with Wire(hub.port) as wire:
        far = place.fleet(
            *(hub, place.tokens(store, devices, "far-"), "run"), *STREAM, url=wire.url
        )
        wait_until(lambda: connected(hub) == 2 * devices, "both fleets are connected")
        before = held(hub.pid)
        with Silent(hub, sockets, place.short) as silent, Unread(hub, store):
            wire.freeze()
            since_s = time.monotonic()
            drip(hub, store.add_device("dripping"))
            acks.mark(reconnected=False)
            acks.wait_s(devices)
            let_go_s = times_s(
                since_s,
                silent=silent.is_over,
                gone=lambda: cut(hub, "no_pong") >= devices,
                unread=lambda: cut(hub, "took_nothing") >= 1,
            )
            wait_until(lambda: connected(hub) == devices, "the neighbours alone are left")
            wait_until(
                lambda: held(hub.pid).descriptors <= before.descriptors,
                "descriptors are what they were",
            )
            grown_bytes = held(hub.pid).memory_bytes - before.memory_bytes
            assert grown_bytes < MEMORY_BOUND_BYTES, f"{grown_bytes >> 20} MiB more"
            acks.mark(reconnected=False)
            acks.wait_s(devices)
        far_acks = Acks(far)
        far_acks.mark()
        wire.thaw()
        far_acks.wait_s(devices)
        assert near.stop()["reconnects"] == 0
        assert far.stop()["reconnects"] >= devices
    assert hub.terminate() == 0
    return [
        place.row(
            store,
            done=f"{devices} devices behind a black hole, {sockets} connections that say nothing,"
            " one that does not read and one that sends byte by byte, beside"
            f" {devices} devices",
            seen=f"the silent were let go after {let_go_s['silent']:.0f} s, the gone after"
            f" {let_go_s['gone']:.0f} s, the one that did not read after"
            f" {let_go_s['unread']:.0f} s; the slow one was served; memory"
            f" {grown_bytes / 1e6:+.0f} MB, descriptors as before; no neighbour was disconnected",
            figures={
                **{f"{who}_let_go_after_s": took_s for who, took_s in let_go_s.items()},
                "memory_grown_mb": grown_bytes / 1e6,
            },
        )
    ]


def times_s(since_s: float, **conditions: Callable[[], bool]) -> dict[str, float]:
    """Wait until each has become true; when it did."""
    found: dict[str, float] = {}

    def all_hold() -> bool:
        for name, holds in conditions.items():
            if name not in found and holds():
                found[name] = time.monotonic() - since_s
        return len(found) == len(conditions)

    deadline_s = time.monotonic() + LET_GO_S
    while not all_hold():
        assert time.monotonic() < deadline_s, f"not let go: {conditions.keys() - found.keys()}"
        time.sleep(LOOK_S)
    return found


def cut(hub: Hub, why: str) -> float:
    return hub.figures().get(f'weir_connections_cut_total{{why="{why}"}}', 0)


STREAM: Final = ("--rate", "2", "--duration", "forever", "--wait", "60s")


def connected(hub: Hub) -> float:
    return hub.figures()["weir_devices_connected"]


def drip(hub: Hub, token: str) -> None:
    """A device whose handshake and frame come byte by byte is served like any other."""
    with RawSocket(hub.port) as raw:
        dripped(raw, request("/ws/ingest/", bearer(token)))
        raw.shake_hands()
        dripped(raw, said({"temperature": 21.5}))
        assert raw.hear()["stored"] == 1


def dripped(raw: RawSocket, sent: bytes) -> None:
    for n in range(len(sent)):
        raw.send(sent[n : n + 1])
        time.sleep(DRIP_S)


class Silent:
    """Connections that never say what they want, in all the ways there are."""

    def __init__(self, hub: Hub, count: int, short: bool) -> None:
        handshake = request("/ws/ingest/", {})
        self._open = [RawSocket(hub.port) for _ in range(count)]
        for n, raw in enumerate(self._open):
            if n % 10 == 1:
                raw.send(handshake[: n % len(handshake)])
            elif n % 10 == 2:
                raw.send(handshake)  # and then no token
            elif n % 10 == 3 and not short:  # a body has a minute
                raw.send(b"POST /ingest/ HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{")

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *exc: object) -> None:
        for raw in self._open:
            raw.socket.close()

    def is_over(self) -> bool:
        """Whether the hub has ended all of them."""
        for raw in readable(self._open):
            raw.read(1.0)
        for raw in self._open:
            if raw.closed:
                raw.socket.close()
        self._open = [raw for raw in self._open if not raw.closed]
        return not self._open


def readable(sockets: Iterable[RawSocket]) -> list[RawSocket]:
    by_number = {raw.socket.fileno(): raw for raw in sockets}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(0)]


class Unread:
    """A device that asks and asks, and takes no answer."""

    MOST_FRAMES = 2_000_000

    def __init__(self, hub: Hub, store: Store) -> None:
        token = store.add_device("deaf")
        self._raw = RawSocket.open(hub.port, headers=bearer(token), receive_buffer_bytes=4096)
        self._raw.send(hello(stream="deaf", held={"first": 1, "last": 0}))
        assert self._raw.hear()["type"] == "welcome"
        self._fill(said({"seq": 1, "readings": []}))

    def __enter__(self) -> Unread:
        return self

    def __exit__(self, *exc: object) -> None:
        self._raw.socket.close()

    def _fill(self, frame: bytes) -> None:
        """Send the first frame again and again, each time to be acked, until nobody takes it."""
        self._raw.socket.setblocking(False)
        sent_frames, stuck_s = 0, time.monotonic()
        while time.monotonic() - stuck_s < 2.0:
            assert sent_frames < self.MOST_FRAMES, "the hub takes whatever comes, and forgets it"
            try:
                self._raw.socket.sendall(frame * 1_000)
                sent_frames, stuck_s = sent_frames + 1_000, time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
