"""What the system does for a connection that is not read from, and what it knows of it."""

from __future__ import annotations

import socket
from typing import Any, Final

# The system asks a silent peer itself, also one that is paused: two minutes until it is given up.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}

# Linux's states of a connection that was given up, and of one whose peer has ended its side.
CLOSE: Final = 7
CLOSE_WAIT: Final = 8


def keep_alive(transport: Any) -> None:
    transport.setTcpKeepAlive(True)
    handle = transport.getHandle()
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def state(transport: Any) -> int | None:
    """Linux's number for it; None where the system does not tell."""
    if not hasattr(socket, "TCP_INFO"):
        return None
    info: bytes = transport.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    return info[0]
