"""What a close frame may say (RFC 6455, sections 5.5 and 7.4). Pure."""

from __future__ import annotations

from typing import Final

NORMAL: Final = 1000
BUG: Final = 1011
RESTART: Final = 1012
REASON_MOST_BYTES: Final = 123  # a control frame has 125, the code takes two

_DEFINED: Final = range(1000, 1015)
_FOR_APPLICATIONS: Final = range(3000, 5000)
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})  # reserved, or only ever concluded


def may_be_sent(code: int) -> bool:
    return code in _FOR_APPLICATIONS or (code in _DEFINED and code not in _NEVER_SENT)


def reason_bytes(reason: str) -> bytes:
    """The reason in UTF-8, cut at a character where it is too long."""
    cut = reason.encode("utf-8", "replace")[:REASON_MOST_BYTES]
    return cut.decode("utf-8", "ignore").encode()
