"""Why a connection ends, in the words of `weir.v1`: an `error` message, then the close."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest import wire


@dataclass(frozen=True, slots=True)
class Close:
    """Why the hub closes: the protocol's code for the `error` message, and the WebSocket's."""

    closes: int
    code: str
    message: str
    seq: int | None = None
    retry_after_ms: int | None = None

    def text(self) -> str:
        """The `error` message that goes before the close."""
        error: dict[str, Any] = {"type": "error", "code": self.code, "message": self.message}
        if self.seq is not None:
            error["seq"] = self.seq
        if self.retry_after_ms is not None:
            error["retry_after_ms"] = self.retry_after_ms
        return wire.encode(error)
