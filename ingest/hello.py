"""A device's `hello`, and the stream that answers it: where a reliable connection goes on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from ingest.wire import is_seq

STREAM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadHello(Exception):
    """It cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Hello:
    """A device's `hello`. Without `stream` it only authenticates."""

    token: str | None
    stream: str | None
    first: int = 1
    last: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream as its `hello` transaction left it; `id` and `epoch` are the right to move it."""

    id: int
    epoch: int
    name: str
    committed: int
    lost: int
    stored: int
    duplicate: int
    rejected: int
    forgotten: int = 0  # other streams of the device, to make room for a new one

    def resume(self) -> dict[str, Any]:
        """As `welcome` tells it."""
        return {
            "stream": self.name,
            "committed": self.committed,
            "lost": self.lost,
            "stored": self.stored,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
        }


def read_hello(message: dict[str, Any]) -> Hello:
    """What a `hello` says. Raises BadHello."""
    token, stream, held = message.get("token"), message.get("stream"), message.get("held")
    if token is not None and not isinstance(token, str):
        raise BadHello("the token in hello must be a text")
    if stream is None:
        return Hello(token, None)
    if not isinstance(stream, str) or not STREAM.fullmatch(stream):
        raise BadHello("a stream's name is 1 to 64 letters, digits, _ and -")
    first: Any = held.get("first") if isinstance(held, dict) else None
    last: Any = held.get("last") if isinstance(held, dict) else None
    if not (is_seq(first) and (last == 0 or is_seq(last)) and first <= last + 1):
        raise BadHello(
            'hello with a stream carries "held": {"first": …, "last": …}; holding nothing,'
            " first is last + 1"
        )
    return Hello(token, stream, first, last)
