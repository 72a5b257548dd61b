"""A board for tests: its channel layer, which may go away, and what its loaders know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from channels.layers import InMemoryChannelLayer

from dashboards.live.board import Board
from dashboards.live.lines import Wanted
from dashboards.live.listener import GROUP
from dashboards.live.present import DevicePresent, Known
from dashboards.live.selection import Selection
from dashboards.live.subscription import Subscription
from dashboards.live.viewers import Viewer

DEADLINE_S = 60.0
INTERVAL_S = 0.02


class Layer(InMemoryChannelLayer):
    """An in-memory layer that can be taken away, as Redis can."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.deaf = False

    async def flush(self) -> None:
        self.deaf = False
        await super().flush()

    async def group_add(self, group: str, channel: str) -> None:
        if self.away:
            raise ConnectionError("the layer is away")
        await super().group_add(group, channel)

    async def receive(self, channel: str) -> Any:
        message = await super().receive(channel)
        if message["type"] == "cut":
            raise ConnectionError("cut")
        return message

    async def cut(self) -> None:
        self.away = True
        await self.group_send(GROUP, {"type": "cut"})
        self.groups.clear()

    async def publish(
        self,
        *devices: dict[str, Any],
        hub: str = "hub",
        number: int | None = None,
        commit_ms: float | None = None,
    ) -> None:
        message = {
            "type": "live.summary",
            "hub": hub,
            "number": number,
            "at": 0,
            "commit_ms": commit_ms,
            "body": orjson.dumps(devices).decode(),
        }
        if not self.deaf:
            await self.group_send(GROUP, message)


class Loaders:
    """What the board's loaders answer."""

    def __init__(self) -> None:
        self.away = False
        self.devices: list[DevicePresent] = []
        self.erasures = 0
        self.values_asked = self.catalogue_asked = 0
        self.tails_asked: list[list[Wanted]] = []

    def load(self) -> Known:
        self.values_asked += 1
        if self.away:
            raise ConnectionError("the database is away")
        return Known(self.devices, self.erasures)

    def load_catalogue(self) -> Known:
        self.catalogue_asked += 1
        return Known([DevicePresent(device.uid) for device in self.devices], self.erasures)

    def load_tails(self, wanted: Sequence[Wanted]) -> list[str | None]:
        if self.away:
            raise ConnectionError("the database is away")
        self.tails_asked.append(list(wanted))
        return [orjson.dumps({"series": one.chart.series}).decode() for one in wanted]


def summary(uid: str = "roof", value: float = 21.5, ts_ms: float = 1000.0) -> dict[str, Any]:
    return {
        "uid": uid,
        "name": "",
        "seen": 1000,
        "values": {"temperature": [ts_ms, value]},
        "counts": {"stored": 1, "duplicate": 0, "rejected": 0},
        "since": ts_ms,
    }


def no_tails(wanted: Sequence[Wanted]) -> list[str | None]:
    """Where no series is known yet."""
    return [None for _ in wanted]


def board_alone() -> Board:
    """Not started, and so without a channel layer."""
    nobody = Known([], 0)
    return Board(
        None,  # type: ignore[arg-type]
        time.time,
        load_fleet=lambda: nobody,
        load_catalogue=lambda: nobody,
        load_tails=no_tails,
    )


async def eventually(holds: Callable[[], object]) -> None:
    """Return when `holds`; fail when it does not within the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        await asyncio.sleep(0.005)


def told(board: Board, summaries: int) -> bool:
    return board.summaries == summaries


async def woken(viewer: Viewer) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await viewer.wake.wait()


def look(board: Board, *devices: str, interval_ms: int = 0) -> Viewer:
    """A viewer of these devices, or of all, who is not told anything yet."""
    viewer = board.open()
    selection = Selection(frozenset(devices) if devices else None)
    board.subscribe(viewer, Subscription(selection, interval_ms))
    return viewer


def looking(board: Board, *devices: str) -> Viewer:
    """A viewer who has seen the snapshot."""
    viewer = look(board, *devices)
    board.message(viewer)
    return viewer


def devices_of(message: tuple[int, str]) -> dict[str, Any]:
    return {each["uid"]: each for each in orjson.loads(message[1])["devices"]}


async def until_shown(board: Board, viewer: Viewer, uid: str) -> dict[str, Any]:
    """The fragment of `uid` from the first update that has it."""
    while True:
        await woken(viewer)
        devices = devices_of(board.message(viewer))
        if uid in devices:
            fragment: dict[str, Any] = devices[uid]
            return fragment
