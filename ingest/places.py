"""Who holds which place in a hub: a device's streams and plain connections, and who has no token.

Pure: it is told who comes and goes, and says who may come; what a connection is it need not know.
"""

from __future__ import annotations

from typing import Protocol


class Replaceable(Protocol):
    """A connection of a stream."""

    def replace(self) -> None:
        """A newer connection has taken its stream over."""


class Places:
    """See the module. `plain_most` is a device's, `waiting_most` all those without a token."""

    def __init__(self, plain_most: int = 4, waiting_most: int = 1_000) -> None:
        self.waiting = 0
        self._plain_most = plain_most
        self._waiting_most = waiting_most
        self._plain: dict[int, int] = {}
        self._streams: dict[tuple[int, str], Replaceable] = {}

    def enter_waiting(self) -> bool:
        """Whether there is a place for one more connection that has yet to show a token."""
        if self.waiting >= self._waiting_most:
            return False
        self.waiting += 1
        return True

    def leave_waiting(self) -> None:
        self.waiting -= 1

    def enter_plain(self, device_id: int) -> bool:
        """Whether one more plain connection of the device is let in."""
        if self._plain.get(device_id, 0) >= self._plain_most:
            return False
        self._plain[device_id] = self._plain.get(device_id, 0) + 1
        return True

    def leave_plain(self, device_id: int) -> None:
        self._plain[device_id] -= 1
        if not self._plain[device_id]:
            del self._plain[device_id]

    def enter_stream(self, device_id: int, name: str, connection: Replaceable) -> None:
        """The newest connection of a stream replaces the one before it."""
        before = self._streams.get((device_id, name))
        self._streams[device_id, name] = connection
        if before is not None and before is not connection:
            before.replace()

    def leave_stream(self, device_id: int, name: str, connection: Replaceable) -> None:
        if self._streams.get((device_id, name)) is connection:
            del self._streams[device_id, name]
