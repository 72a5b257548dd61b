"""What of the fleet somebody asked to see: text, status, order and metrics, from the address. Pure.

`static/dashboards/` has the same in `address.js`, `order.js` and `slots.js` for what is asked for
afterwards; whoever changes one changes the other. The first paint must not differ from what the
scripts make of it, or every row would jump.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dashboards.live.present import DevicePresent
from dashboards.pages.status import Status

METRICS_MAX = 6
"""Columns of metrics at most: more of them are too narrow to be read on a laptop."""
METRICS_COMMON = 3
"""Columns where nobody chose: those that the most devices have."""
METRICS_LISTED = 100
"""To choose from. One device may have a thousand; the address takes any of them."""

# Last wherever the order goes.
MISSING = (1,)
Key = tuple[object, ...]


@dataclass(frozen=True)
class View:
    """One way to look at the fleet; as the address has it."""

    text: str = ""
    status: str = ""
    sort: str = "name"
    down: bool = False
    metrics: tuple[str, ...] = ()

    @classmethod
    def asked(cls, query: Mapping[str, str]) -> View:
        sort = query.get("sort", "")
        metrics = [one for one in query.get("metrics", "").split(",") if one]
        return cls(
            query.get("q", ""),
            query.get("status", ""),
            sort.removeprefix("-") or "name",
            sort.startswith("-"),
            tuple(dict.fromkeys(metrics))[:METRICS_MAX],
        )

    def shows(self, device: DevicePresent, status: Status) -> bool:
        if self.status not in ("", status.slug):
            return False
        text = self.text.lower()
        searched = (device.uid, device.name, *device.values)
        return not text or any(text in one.lower() for one in searched)

    def ordered(
        self, devices: Iterable[DevicePresent], status_of: Callable[[DevicePresent], Status]
    ) -> list[DevicePresent]:
        """In the order asked for; equals, and who has no such value, in the order of names."""
        named = sorted(devices, key=lambda each: (natural(shown_name(each)), each.uid))
        keys = {each.uid: self._key(each, status_of) for each in named}
        there = [each for each in named if keys[each.uid] is not MISSING]
        there.sort(key=lambda each: keys[each.uid], reverse=self.down)
        return there + [each for each in named if keys[each.uid] is MISSING]

    def _key(self, device: DevicePresent, status_of: Callable[[DevicePresent], Status]) -> Key:
        if self.sort.startswith("metric:"):
            found = device.values.get(self.sort.removeprefix("metric:"))
            if found is None:
                return MISSING
            return (1, *natural(found[1])) if isinstance(found[1], str) else (0, found[1])
        if self.sort == "status":
            return (list(Status).index(status_of(device)),)
        if self.sort == "seen":
            return MISSING if device.seen_ms is None else (-device.seen_ms,)
        if self.sort == "rejected":
            return (device.counts["rejected"],)
        # Rates are known to the page alone, once it has looked for a moment; it sorts by them then.
        return natural(shown_name(device)) if self.sort == "name" else MISSING

    def columns(self, devices: Iterable[DevicePresent]) -> list[str]:
        """The metrics that have a column each."""
        return list(self.metrics) or common(devices, METRICS_COMMON)


def shown_name(device: DevicePresent) -> str:
    return device.name or device.uid


def natural(text: str) -> Key:
    """As people order names: without case, and `sensor 9` before `sensor 10`."""
    parts = re.split(r"(\d+)", text.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def common(devices: Iterable[DevicePresent], most: int) -> list[str]:
    """The metrics that the most devices have, in the order of their names."""
    counts = Counter(metric for device in devices for metric in device.values)
    found = sorted(counts, key=lambda metric: (-counts[metric], metric))
    return sorted(found[:most])


def listed(devices: Iterable[DevicePresent], view: View) -> list[str]:
    """The metrics to choose columns from; those that are chosen are among them."""
    return sorted({*common(devices, METRICS_LISTED), *view.metrics})


def slots(columns: list[str], metrics: Iterable[str], chosen: bool) -> list[str | None]:
    """Which metric of a device stands in each column.

    Where nobody chose the columns, a device that lacks one shows another metric of its own there,
    with its name: a fleet of different devices has few metrics in common.
    """
    mine = set(metrics)
    others = [] if chosen else sorted(mine - set(columns))
    others.reverse()
    return [column if column in mine else others.pop() if others else None for column in columns]
