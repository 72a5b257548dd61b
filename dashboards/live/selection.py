"""Which devices a dashboard looks at, and how much of each. Pure.

Two dashboards of an equal selection share all that is made for it. Knows nothing of sockets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is not None, or empty, must hold; nothing given: the whole fleet."""

    devices: frozenset[str] | None = None
    """Only these uids, whether there are such devices yet or not."""
    filter: str = ""
    """As `searchable` makes it: lower case."""
    metrics: frozenset[str] | None = None
    """Fragments have no other values. A device without any of them is still shown."""

    @property
    def is_all(self) -> bool:
        return self.devices is None and not self.filter

    def has(self, uid: str, searched: str) -> bool:
        """Whether the device is looked at; `searched` is what `searchable` made of it."""
        return (self.devices is None or uid in self.devices) and self.filter in searched


EVERYTHING = Selection()


def searchable(uid: str, name: str, metrics: Iterable[str]) -> str:
    """The text that a filter is looked for in, as `static/dashboards/row.js` makes it, too."""
    return "\n".join([uid, name, *metrics]).lower()
