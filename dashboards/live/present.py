"""The fleet as it is now, merged from the summaries of every hub. Pure: no Django, no asyncio.

Fed by `dashboards.live.board`; knows nothing of sockets, channel layers or the database. A summary
replaces what it names and never adds to it, so one that was lost is repaired by the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

import orjson

from dashboards.live.selection import searchable

Value = float | bool | str


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
    units: dict[str, str] = field(default_factory=dict)
    """By metric, where somebody gave one."""
    heard: dict[str, int] = field(default_factory=dict)
    """By metric, the number of the summary that its value came with; 0: it was read."""

    def copy(self) -> DevicePresent:
        return DevicePresent(
            self.uid,
            self.name,
            self.interval_s,
            self.seen_ms,
            dict(self.values),
            self.counts,
            self.units,
        )


class Known(NamedTuple):
    """What the database knew."""

    devices: Sequence[DevicePresent]
    erasures: int
    """It grows when readings or series are erased; read before the devices."""


class Changes(NamedTuple):
    """What became another since the last look."""

    changed: frozenset[str]
    removed: frozenset[str]
    renamed: frozenset[str]
    """Those changed that a filter may now find, or no longer: new, or of another name or metric."""


class Present:
    """Every device's latest values and counts, and its fragment, encoded once per change."""

    def __init__(self) -> None:
        self._devices: dict[str, DevicePresent] = {}
        self._fragments: dict[str, str] = {}
        self._hubs: dict[str, dict[str, Counts]] = {}
        self.applied = 0
        """How many summaries were."""
        self._applied_last: dict[str, int] = {}
        self._changed: set[str] = set()
        self._removed: set[str] = set()
        self._renamed: set[str] = set()
        self._searched: dict[str, str] = {}

    def prime(
        self,
        known: Iterable[DevicePresent],
        read_after: int,
        now_ms: int,
        *,
        erased: bool = False,
    ) -> None:
        """Merge what the database knew, at the latest `now_ms`; who is missing there is removed.

        It was read when `read_after` summaries were applied: what was heard of after them stays,
        since the database was read too early for it. `erased`: so is a value, and others that the
        database has no longer go.
        """
        uids = set()
        for device in known:
            uids.add(device.uid)
            self._merge_known(device, now_ms)
            if erased:
                self._drop_erased(device, read_after)
        for uid in self._devices.keys() - uids:
            if self._applied_last.get(uid, 0) <= read_after:
                self._forget(uid)

    def apply(self, hub: str, devices: Iterable[DeviceSummary], now_ms: int) -> None:
        """Merge one summary of `hub`, received at `now_ms`."""
        self.applied += 1
        counts_of_hub = self._hubs.setdefault(hub, {})
        for summary in devices:
            uid = summary["uid"]
            device = self._devices.get(uid)
            if device is None:
                device = self._add(DevicePresent(uid, summary["name"]))
            self._applied_last[uid] = self.applied
            changed = self._see(device, summary["seen"], now_ms)
            changed |= self._keep_latest(device, summary["values"], self.applied)
            changed |= self._count(device, counts_of_hub, summary["counts"])
            if changed:  # what a hub says again, for a board that had not heard it, is no news
                self._touch(uid)

    def lose(self, hub: str) -> None:
        """It is gone, and what it counted with it: totals are of the hubs that are there."""
        for uid, counts in self._hubs.pop(hub, {}).items():
            if self._count(self._devices[uid], {uid: counts}, no_counts()):
                self._touch(uid)

    @property
    def has_changes(self) -> bool:
        return bool(self._changed or self._removed)

    def take_changes(self) -> Changes:
        """Since the last call."""
        changes = Changes(
            frozenset(self._changed), frozenset(self._removed), frozenset(self._renamed)
        )
        self._changed, self._removed, self._renamed = set(), set(), set()
        return changes

    def fragment(self, uid: str) -> str | None:
        """The device as JSON, encoded once until it changes; None when there is none."""
        fragment = self._fragments.get(uid)
        if fragment is None and (device := self._devices.get(uid)) is not None:
            fragment = self._fragments[uid] = encode(device)
        return fragment

    def cut_fragment(self, uid: str, metrics: frozenset[str]) -> str | None:
        """The device as JSON with the values of these metrics alone; encoded anew each time."""
        device = self._devices.get(uid)
        return None if device is None else encode(device, metrics)

    def searched(self, uid: str) -> str:
        """The text in which a filter finds the device."""
        text = self._searched.get(uid)
        if text is None:
            device = self._devices[uid]
            text = self._searched[uid] = searchable(uid, device.name, device.values)
        return text

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
            self._add(known.copy())
            return
        changed = (device.interval_s, device.units) != (known.interval_s, known.units)
        device.interval_s, device.units = known.interval_s, known.units
        if device.name != known.name:
            device.name = known.name
            self._rename(known.uid)
        if known.seen_ms is not None and known.seen_ms <= now_ms:
            changed |= self._see(device, known.seen_ms, now_ms)
        changed |= self._keep_latest(device, known.values, 0)
        if changed:
            self._touch(known.uid)

    def _drop_erased(self, known: DevicePresent, read_after: int) -> None:
        """Give up what the database had no longer, though it was heard of before."""
        device = self._devices[known.uid]
        for metric, kept in list(device.values.items()):
            value = known.values.get(metric)
            if value == kept or device.heard.get(metric, 0) > read_after:
                continue
            if value is None:
                del device.values[metric]
            else:
                device.values[metric] = value
            self._rename(known.uid)

    def _add(self, device: DevicePresent) -> DevicePresent:
        self._devices[device.uid] = device
        self._rename(device.uid)
        return device

    def _rename(self, uid: str) -> None:
        self._searched.pop(uid, None)
        self._renamed.add(uid)
        self._touch(uid)

    def _forget(self, uid: str) -> None:
        del self._devices[uid]
        for kept in (self._fragments, self._applied_last, self._searched):
            kept.pop(uid, None)
        self._changed.discard(uid)
        self._renamed.discard(uid)
        self._removed.add(uid)
        for counts_of_hub in self._hubs.values():
            counts_of_hub.pop(uid, None)

    def _touch(self, uid: str) -> None:
        self._fragments.pop(uid, None)
        self._removed.discard(uid)
        self._changed.add(uid)

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

    def _keep_latest(
        self, device: DevicePresent, values: dict[str, tuple[float, Value]], heard: int
    ) -> bool:
        changed = False
        for metric, (ts_ms, value) in values.items():
            kept = device.values.get(metric)
            if kept is None or ts_ms > kept[0] or (ts_ms == kept[0] and value != kept[1]):
                device.values[metric] = (ts_ms, value)
                device.heard[metric] = heard
                changed = True
                if kept is None:
                    self._rename(device.uid)
        return changed

    @staticmethod
    def _count(device: DevicePresent, counts_of_hub: dict[str, Counts], counts: Counts) -> bool:
        # A hub says totals since its start; the difference to what it said last is what is new,
        # whatever was lost in between.
        before = counts_of_hub.get(device.uid) or no_counts()
        if counts == before:
            return False
        counts_of_hub[device.uid] = counts
        device.counts = {
            "stored": device.counts["stored"] + counts["stored"] - before["stored"],
            "duplicate": device.counts["duplicate"] + counts["duplicate"] - before["duplicate"],
            "rejected": device.counts["rejected"] + counts["rejected"] - before["rejected"],
        }
        return True


def encode(device: DevicePresent, metrics: frozenset[str] | None = None) -> str:
    """The fragment of `device`: one JSON object, as `/ws/live/` sends it."""
    values, units = device.values, device.units
    if metrics is not None:
        values = {metric: value for metric, value in values.items() if metric in metrics}
        units = {metric: unit for metric, unit in units.items() if metric in metrics}
    fragment = {
        "uid": device.uid,
        "name": device.name,
        "seen": device.seen_ms,
        "values": values,
        "counts": device.counts,
        "interval_s": device.interval_s,
    }
    return orjson.dumps(fragment | {"units": units} if units else fragment).decode()
