"""Whether the peer takes what is written to it: how much waits, and since when it is stuck."""

from __future__ import annotations

from typing import Any


def unsent_bytes(transport: Any) -> int:
    """What Twisted still holds for the system to take."""
    held: int = len(transport.dataBuffer) - transport.offset + transport._tempDataLen
    return held


class Outflow:
    """One transport that is above its high water, watched until it is not."""

    def __init__(self, transport: Any, now_s: float) -> None:
        self._transport = transport
        self._least_bytes = unsent_bytes(transport)
        self._since_s = now_s

    def is_stalled(self, now_s: float, within_s: float) -> bool:
        """Whether the peer took not one byte for `within_s`. `now_s` never jumps."""
        unsent = unsent_bytes(self._transport)
        if unsent < self._least_bytes:
            self._least_bytes, self._since_s = unsent, now_s
        return now_s - self._since_s >= within_s
