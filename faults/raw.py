"""A WebSocket on a bare socket: says what no library would, and takes nothing it is not told to.

For clients that break the protocol, that stop in mid-frame and that do not read.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Self

from tests.hubs import DEADLINE_S

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA


class Frame(NamedTuple):
    """One frame of the hub's."""

    opcode: int
    body: bytes

    @property
    def code(self) -> int:
        """Of a close frame; 1005 where it has none."""
        return int(struct.unpack(">H", self.body[:2])[0]) if len(self.body) > 1 else 1005

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def framed(
    opcode: int, body: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """A WebSocket frame, masked with zeros; `reserved` are its three reserved bits."""
    first = (0x80 if final else 0) | reserved << 4 | opcode
    mask = 0x80 if masked else 0
    if len(body) < 126:
        head = struct.pack(">BB", first, mask | len(body))
    elif len(body) < 65_536:
        head = struct.pack(">BBH", first, mask | 126, len(body))
    else:
        head = struct.pack(">BBQ", first, mask | 127, len(body))
    return head + (bytes(4) if masked else b"") + body


def said(*messages: Any) -> bytes:
    """Text frames of these messages, each a text or what becomes one as JSON."""
    texts = (message if isinstance(message, str) else json.dumps(message) for message in messages)
    return b"".join(framed(TEXT, text.encode()) for text in texts)


def parsed(heard: bytes) -> tuple[list[Frame], bytes]:
    """The whole frames in what was heard, and the rest. A hub neither masks nor cuts its frames."""
    frames: list[Frame] = []
    while len(heard) >= 2:
        size, begin = heard[1], 2
        if size == 126 and len(heard) >= 4:
            size, begin = struct.unpack_from(">H", heard, 2)[0], 4
        elif size == 127 and len(heard) >= 10:
            size, begin = struct.unpack_from(">Q", heard, 2)[0], 10
        elif size >= 126:
            break
        if len(heard) < begin + size:
            break
        frames.append(Frame(heard[0] & 0x0F, heard[begin : begin + size]))
        heard = heard[begin + size :]
    return frames, heard


def request(path: str, headers: dict[str, str]) -> bytes:
    """A WebSocket handshake's request."""
    given = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        **headers,
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Refused(Exception):
    """The handshake was answered with another status than 101."""


class RawSocket:
    """One connection. `closed` is whether the hub, or the network, has ended it."""

    def __init__(self, port: int, receive_buffer_bytes: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer_bytes:  # before it connects: the window is agreed on then
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(("127.0.0.1", port))
        self.closed = False
        self._rest = b""
        self._found: deque[Frame] = deque()

    @classmethod
    def open(
        cls,
        port: int,
        path: str = "/ws/ingest/",
        headers: dict[str, str] | None = None,
        receive_buffer_bytes: int = 0,
    ) -> Self:
        """Connected and shaken hands with; raises Refused."""
        raw = cls(port, receive_buffer_bytes)
        raw.send(request(path, headers or {}))
        raw.shake_hands()
        return raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, *sent: bytes) -> None:
        """Everything, or nothing more where the hub has closed meanwhile: it tells by reading."""
        try:
            for part in sent:
                self.socket.sendall(part)
        except (ConnectionError, TimeoutError):
            self.closed = True

    def shake_hands(self) -> None:
        """Read the answer to the request."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            read = self.socket.recv(4096)
            if not read:
                raise Refused(answer.decode("latin-1") or "no answer")
            answer += read
        head, _, self._rest = answer.partition(b"\r\n\r\n")
        if b" 101 " not in head.splitlines()[0]:
            raise Refused(head.decode("latin-1"))

    def frames(self, within_s: float = DEADLINE_S) -> Iterator[Frame]:
        """What the hub says, until its close frame or the connection's end."""
        deadline_s = time.monotonic() + within_s
        while True:
            self._parse()
            while self._found:
                frame = self._found.popleft()
                yield frame
                if frame.opcode == CLOSE:
                    return
            if not self.read(max(0.01, deadline_s - time.monotonic())):
                return

    def taken(self) -> list[Frame]:
        """The whole frames among what was read."""
        self._parse()
        found = list(self._found)
        self._found.clear()
        return found

    def read(self, within_s: float, most_bytes: int = 65_536) -> int:
        """Take some bytes in; how many came, 0 at the end. Raises TimeoutError."""
        self.socket.settimeout(within_s)
        try:
            read = self.socket.recv(most_bytes)
        except ConnectionError:
            read = b""
        finally:
            self.socket.settimeout(DEADLINE_S)
        self.closed = self.closed or not read
        self._rest += read
        return len(read)

    def _parse(self) -> None:
        found, self._rest = parsed(self._rest)
        self._found.extend(found)

    def hear(self) -> dict[str, Any]:
        """The next message; an AssertionError where the connection ended instead."""
        for frame in self.frames():
            if frame.opcode == TEXT:
                return frame.message
            if frame.opcode == PING:
                self.send(framed(PONG, frame.body))
        raise AssertionError("the connection ended, and nothing was said")

    def ask(self, *messages: Any) -> dict[str, Any]:
        self.send(said(*messages))
        return self.hear()

    def hear_end(self, within_s: float = DEADLINE_S) -> tuple[list[dict[str, Any]], int]:
        """All messages up to the end, and its close code: 1006 where it came without one."""
        messages: list[dict[str, Any]] = []
        for frame in self.frames(within_s):
            if frame.opcode == TEXT:
                messages.append(frame.message)
            elif frame.opcode == PING:
                self.send(framed(PONG, frame.body))
            elif frame.opcode == CLOSE:
                return messages, frame.code
        return messages, 1006
