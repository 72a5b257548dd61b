"""Dashboards on a live hub: those that keep up, those that read slowly, those that do not read.

They read in a thread of their own, and tell what they saw. No browser is in it: what a page does
with what it is told is for the tests in one.
"""

from __future__ import annotations

import secrets
import select
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Self

from django.contrib.auth.hashers import make_password

from benchmarks.dashboard import log_in
from faults.raw import CLOSE, PING, PONG, TEXT, Frame, RawSocket, framed, said
from tests.hubs import Hub, Store

TICK_S: Final = 0.05
"""How often a slow one takes its sip."""

SLOW_BUFFER_BYTES: Final = 4096
"""What the system may take in for one that does not: else it would hold all there is to say."""


class Viewer:
    """One dashboard. `bytes_per_s` bounds what it reads; None: all there is, 0: nothing."""

    def __init__(self, hub: Hub, cookie: str, bytes_per_s: int | None = None) -> None:
        self.hub = hub
        self.bytes_per_s = bytes_per_s
        self.stale_since: int | None = None
        self.devices: dict[str, dict[str, Any]] = {}
        self.updates = 0
        self.heard_s = time.monotonic()
        self.longest_gap_s = 0.0
        """Between two messages, since `watch`."""
        self.last_word: dict[str, Any] = {}
        self.code: int | None = None
        """The close code, once it is closed."""
        self.raw = RawSocket.open(
            hub.port,
            "/ws/live/",
            {"Cookie": cookie, "Origin": f"http://127.0.0.1:{hub.port}"},
            0 if bytes_per_s is None else SLOW_BUFFER_BYTES,
        )
        self.raw.send(said({"type": "subscribe"}))
        if bytes_per_s != 0:
            self._take_all()  # what came with the handshake's answer

    @property
    def closed(self) -> bool:
        return self.code is not None

    def watch(self) -> None:
        """Measure the gaps between messages from now on."""
        self.heard_s, self.longest_gap_s = time.monotonic(), 0.0

    def is_stale(self) -> bool:
        return self.stale_since is not None

    def has_drawn(self) -> bool:
        return bool(self.devices)

    def shows(self, uids: Iterable[str], seen_after_ms: int) -> bool:
        """Whether it is whole: not stale, and each of these devices was seen since."""
        return self.stale_since is None and all(
            (self.devices.get(uid, {}).get("seen") or 0) > seen_after_ms for uid in uids
        )

    def value(self, uid: str, metric: str) -> Any:
        """What it shows as the latest of a metric; None where it shows nothing."""
        at_and_value = self.devices.get(uid, {}).get("values", {}).get(metric)
        return at_and_value and at_and_value[1]

    def read(self, most_bytes: int) -> None:
        try:
            self.raw.read(0.001, most_bytes)
        except TimeoutError:
            return
        self._take_all()
        if self.raw.closed and self.code is None:
            self.code = 1006

    def _take_all(self) -> None:
        for frame in self.raw.taken():
            self._take(frame)

    def _take(self, frame: Frame) -> None:
        if frame.opcode == PING:
            self.raw.send(framed(PONG, frame.body))
        elif frame.opcode == CLOSE:
            self.code = frame.code
        elif frame.opcode == TEXT:
            now_s = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, now_s - self.heard_s)
            self.heard_s = now_s
            self._draw(frame.message)

    def _draw(self, message: dict[str, Any]) -> None:
        self.last_word = message
        if message["type"] == "error":
            return
        self.updates += message["type"] == "update"
        self.stale_since = message["stale_since"]
        for device in message["devices"]:
            self.devices[device["uid"]] = device
        for uid in message.get("removed", ()):
            self.devices.pop(uid, None)
        self.raw.send(said({"type": "seen", "at": message["at"]}))


class Viewers:
    """All dashboards of a fault, for as long as the context lasts, and whom they are logged in as.

    What is read of a viewer is a moment old; only its own thread changes it.
    """

    def __init__(self, store: Store) -> None:
        self.password = secrets.token_hex(8)
        store.rows(
            "INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser,"
            " is_staff, is_active, date_joined) VALUES ('watcher', %s, '', '', '', %s, %s, %s, %s)",
            *(make_password(self.password), False, False, True, datetime.now(UTC)),
        )
        store.rows(
            "INSERT INTO auth_user_groups (user_id, group_id)"
            " SELECT u.id, g.id FROM auth_user u, auth_group g"
            " WHERE u.username = 'watcher' AND g.name = 'Viewers'"
        )
        self._viewers: list[Viewer] = []
        self._cookie = ""
        self._ended = threading.Event()
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="viewers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()
        self.close(*self._viewers)

    def cookie(self, hub: Hub) -> str:
        """Of a session, which is good on every hub of this database."""
        self._cookie = self._cookie or log_in(hub.port, "watcher", self.password)
        return self._cookie

    def open(self, hub: Hub, count: int = 1, bytes_per_s: int | None = None) -> list[Viewer]:
        cookie = self.cookie(hub)
        opened = [Viewer(hub, cookie, bytes_per_s) for _ in range(count)]
        self._viewers = [*self._viewers, *opened]
        return opened

    def close(self, *viewers: Viewer) -> None:
        """They go away without a word."""
        with self._reading:
            self._viewers = [viewer for viewer in self._viewers if viewer not in viewers]
            for viewer in viewers:
                viewer.raw.socket.close()

    def _read(self) -> None:
        sip_s = time.monotonic()
        while not self._ended.is_set():
            with self._reading:
                viewers = [viewer for viewer in self._viewers if not viewer.closed]
                self._read_keen([viewer for viewer in viewers if viewer.bytes_per_s is None])
                if time.monotonic() - sip_s >= TICK_S:
                    sip_s = time.monotonic()
                    for viewer in viewers:
                        if viewer.bytes_per_s:
                            viewer.read(max(1, int(viewer.bytes_per_s * TICK_S)))
            time.sleep(TICK_S / 10)  # for whoever wants to open or close one

    def _read_keen(self, viewers: list[Viewer]) -> None:
        by_number = {viewer.raw.socket.fileno(): viewer for viewer in viewers}
        poll = select.poll()
        for number in by_number:
            poll.register(number, select.POLLIN)
        for number, _ in poll.poll(TICK_S * 1_000) if by_number else ():
            by_number[number].read(1 << 18)
