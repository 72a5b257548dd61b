"""The fleet as it is now, merged from the summaries of every hub. Pure: no Django, no asyncio.

Fed by `dashboards.live.board`; knows nothing of sockets, channel layers or the database. A summary
replaces what it names and never adds to it, so one that was lost is repaired by the next.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypedDict

import orjson

Value = float | bool | str

# How many hub processes are remembered with their counts. A restarted hub is a new one, so this
# bounds what a hub that restarts for ever can leave behind; the totals themselves are kept.
HUBS_KEPT = 32


class Counts(TypedDict):
    """What became of a device's readings."""

    stored: int
    duplicate: int
    rejected: int


class DeviceSummary(TypedDict):
    """One device in a hub's summary: what changed since the hub's last one."""

    uid: str
    name: str
    seen: int | None
    values: dict[str, tuple[float, Value]]
    counts: Counts


def no_counts() -> Counts:
    return {"stored": 0, "duplicate": 0, "rejected": 0}


@dataclass(slots=True)
class DevicePresent:
    """What is known of one device now. Times are milliseconds since 1970."""

    uid: str
    name: str = ""
    interval_s: float | None = None
    seen_ms: int | None = None
    values: dict[str, tuple[float, Value]] = field(default_factory=dict)
    counts: Counts = field(default_factory=no_counts)

    def copy(self) -> DevicePresent:
        return DevicePresent(
            self.uid, self.name, self.interval_s, self.seen_ms, dict(self.values), self.counts
        )


class Present:
    """Every device's latest values and counts, and its fragment, encoded once per change."""

    def __init__(self) -> None:
        self._devices: dict[str, DevicePresent] = {}
        self._fragments: dict[str, str] = {}
        self._hubs: OrderedDict[str, dict[str, Counts]] = OrderedDict()
        self.applied = 0
        """How many summaries were."""
        self._applied_last: dict[str, int] = {}
        self._changed: set[str] = set()
        self._removed: set[str] = set()

    def prime(self, known: Iterable[DevicePresent], read_after: int, now_ms: int) -> None:
        """Merge what the database knew, at the latest `now_ms`; who is missing there is removed.

        It was read when `read_after` summaries were applied: a device that was heard of after them
        stays, since the database was read too early for it.
        """
        uids = set()
        for device in known:
            uids.add(device.uid)
            self._merge_known(device, now_ms)
        for uid in self._devices.keys() - uids:
            if self._applied_last.get(uid, 0) <= read_after:
                self._forget(uid)

    def apply(self, hub: str, devices: Iterable[DeviceSummary], now_ms: int) -> None:
        """Merge one summary of `hub`, received at `now_ms`."""
        self.applied += 1
        counts_of_hub = self._counts_of(hub)
        for summary in devices:
            uid = summary["uid"]
            device = self._devices.setdefault(uid, DevicePresent(uid, summary["name"]))
            self._applied_last[uid] = self.applied
            self._see(device, summary["seen"], now_ms)
            self._keep_latest(device, summary["values"])
            self._count(device, counts_of_hub, summary["counts"])
            self._touch(uid)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed or self._removed)

    def take_changes(self) -> tuple[frozenset[str], frozenset[str]]:
        """The devices changed and those removed since the last call."""
        changed, removed = frozenset(self._changed), frozenset(self._removed)
        self._changed, self._removed = set(), set()
        return changed, removed

    def fragment(self, uid: str) -> str | None:
        """The device as JSON, encoded once until it changes; None when there is none."""
        fragment = self._fragments.get(uid)
        if fragment is None and (device := self._devices.get(uid)) is not None:
            fragment = self._fragments[uid] = encode(device)
        return fragment

    def uids(self) -> list[str]:
        return list(self._devices)

    def devices(self) -> list[DevicePresent]:
        """Copies of all devices; may be called from another thread.

        Copying a dict or listing its values is one step under the interpreter's lock, and counts
        are replaced, never changed in place.
        """
        return [device.copy() for device in list(self._devices.values())]

    def device(self, uid: str) -> DevicePresent | None:
        found = self._devices.get(uid)
        return found.copy() if found else None

    def _merge_known(self, known: DevicePresent, now_ms: int) -> None:
        device = self._devices.get(known.uid)
        if device is None:
            self._devices[known.uid] = known.copy()
            self._touch(known.uid)
            return
        changed = (device.name, device.interval_s) != (known.name, known.interval_s)
        device.name, device.interval_s = known.name, known.interval_s
        if known.seen_ms is not None and known.seen_ms <= now_ms:
            changed |= self._see(device, known.seen_ms, now_ms)
        changed |= self._keep_latest(device, known.values)
        if changed:
            self._touch(known.uid)

    def _forget(self, uid: str) -> None:
        del self._devices[uid]
        self._fragments.pop(uid, None)
        self._applied_last.pop(uid, None)
        self._changed.discard(uid)
        self._removed.add(uid)
        for counts_of_hub in self._hubs.values():
            counts_of_hub.pop(uid, None)

    def _touch(self, uid: str) -> None:
        self._fragments.pop(uid, None)
        self._removed.discard(uid)
        self._changed.add(uid)

    def _counts_of(self, hub: str) -> dict[str, Counts]:
        counts = self._hubs.setdefault(hub, {})
        self._hubs.move_to_end(hub)
        while len(self._hubs) > HUBS_KEPT:
            self._hubs.popitem(last=False)
        return counts

    @staticmethod
    def _see(device: DevicePresent, seen_ms: int | None, now_ms: int) -> bool:
        """Never earlier than it was, unless that was said by a clock that has been set back since:
        else a device would be online for as long as the clock had been ahead."""
        if seen_ms is None:
            return False
        seen_ms = min(seen_ms, now_ms)
        if device.seen_ms is not None and seen_ms <= device.seen_ms <= now_ms:
            return False
        device.seen_ms = seen_ms
        return True

    @staticmethod
    def _keep_latest(device: DevicePresent, values: dict[str, tuple[float, Value]]) -> bool:
        changed = False
        for metric, (ts_ms, value) in values.items():
            kept = device.values.get(metric)
            if kept is None or ts_ms > kept[0] or (ts_ms == kept[0] and value != kept[1]):
                device.values[metric] = (ts_ms, value)
                changed = True
        return changed

    @staticmethod
    def _count(device: DevicePresent, counts_of_hub: dict[str, Counts], counts: Counts) -> None:
        # A hub says totals since its start; the difference to what it said last is what is new,
        # whatever was lost in between.
        before = counts_of_hub.get(device.uid) or no_counts()
        counts_of_hub[device.uid] = counts
        device.counts = {
            "stored": device.counts["stored"] + counts["stored"] - before["stored"],
            "duplicate": device.counts["duplicate"] + counts["duplicate"] - before["duplicate"],
            "rejected": device.counts["rejected"] + counts["rejected"] - before["rejected"],
        }


def encode(device: DevicePresent) -> str:
    """The fragment of `device`: one JSON object, as `/ws/live/` sends it."""
    return orjson.dumps(
        {
            "uid": device.uid,
            "name": device.name,
            "seen": device.seen_ms,
            "values": device.values,
            "counts": device.counts,
            "interval_s": device.interval_s,
        }
    ).decode()
