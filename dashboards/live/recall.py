"""What changed of a device or a series lately: when it was heard of, and since when is new. Pure.

A change is heard of by a *tick*, a time of the board's in Unix milliseconds, and stands for
readings that were committed before. Of all ticks after `start_ms` every change is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Change(NamedTuple):
    """Readings that one tick heard of; their times are microseconds."""

    heard_ms: int
    since_us: int
    """The earliest of them."""
    latest_us: int
    """The latest of them, or the tick, where a clock is ahead."""


class Recall:
    """Changes in the order of their ticks."""

    __slots__ = ("_changes", "start_ms")

    def __init__(self, start_ms: int, changes: Iterable[Change] = ()) -> None:
        self.start_ms = start_ms
        self._changes = deque(changes)

    def copy(self) -> Recall:
        return Recall(self.start_ms, self._changes)

    def add(self, change: Change, kept_ms: int) -> None:
        """Those that are older than it by more than `kept_ms` are forgotten."""
        self._changes.append(change)
        while self._changes[0].heard_ms < change.heard_ms - kept_ms:
            self.start_ms = self._changes.popleft().heard_ms

    @property
    def heard_ms(self) -> int:
        """The tick of the newest change, or where it begins."""
        return self._changes[-1].heard_ms if self._changes else self.start_ms

    def newest_first(self) -> Iterator[Change]:
        return reversed(self._changes)

    def after(self, heard_ms: int) -> list[Change]:
        """The changes heard of after that tick, oldest first."""
        found: list[Change] = []
        for change in self.newest_first():
            if change.heard_ms <= heard_ms:
                break
            found.append(change)
        return found[::-1]
