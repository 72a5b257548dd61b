"""Every rule of the protocol that one connection can break, and what it is told for it.

A table for `faults.cases.protocol_abuse`, which says it to a real hub in raw bytes. What a bad
*reading* is told is not here: its connection lives (`tests/acceptance/test_bad_readings.py`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from faults.raw import CLOSE, PING, TEXT, framed, said

FRAME_BYTES: Final = 262_144
HARD_CAP_BYTES: Final = 4 * 1024 * 1024
IN_FLIGHT: Final = 32
TOO_DEEP: Final = 100_000  # deeper than any parser follows

STREAM: Final = "{stream}"
"""Stands for a stream's name that nobody used before."""


class Opening(Enum):
    """What goes before, and is answered as it should be."""

    BARE = auto()
    """Shaken hands, without a token."""
    PLAIN = auto()
    """With a token in the header."""
    SPOKEN = auto()
    """And a plain frame that was acked."""
    RELIABLE = auto()
    """With a hello that names a stream, and its first frame acked."""
    NACKED = auto()
    """And the third frame sent before the second."""
    COMMITTED = auto()
    """Plain; but another connection, which has ended, brought the first frame of the stream."""


@dataclass(frozen=True, slots=True)
class Abuse:
    """One way to break a rule: what is sent, every message that answers, and the close code.

    `closes` is None where the connection lives. A text in `heard` that ends in … goes on.
    """

    sent: bytes
    heard: tuple[dict[str, Any], ...] = ()
    closes: int | None = None
    opening: Opening = Opening.PLAIN
    path: str = "/ws/ingest/"
    headers: tuple[tuple[str, str], ...] = ()


def error(code: str, message: str, **more: int) -> tuple[dict[str, Any]]:
    return ({"type": "error", "code": code, "message": message, **more},)


def ack(seq: int, rejected: int = 0, message: str = "", count: int = 1) -> tuple[dict[str, Any]]:
    """Of one frame; where it was refused, as a whole."""
    counts = {"type": "ack", "seq": seq, "stored": 0, "duplicate": 0, "rejected": rejected}
    if not rejected:
        return (counts,)
    entry = {"seq": seq, "code": "bad_frame", "message": message}
    return ({**counts, "errors": [entry | ({"count": count} if count > 1 else {})]},)


def bad(sent: bytes, message: str, opening: Opening = Opening.PLAIN, **more: int) -> Abuse:
    """What closes with 4400."""
    return Abuse(sent, error("bad_message", message, **more), 4400, opening)


def hello(**members: Any) -> bytes:
    return said({"type": "hello", **members})


def empty(*seqs: int) -> bytes:
    """Frames of these numbers without readings."""
    return said(*({"seq": seq, "readings": []} for seq in seqs))


def refused(sent: Any, message: str, count: int = 1) -> Abuse:
    """A frame that is settled by an ack, with all of it refused."""
    return Abuse(said(sent), ack(1, count, message, count))


NOT_OBJECT: Final = "a message must be a JSON object or array"
BINARY: Final = "a message is JSON in a text frame, this one is binary"
NAME: Final = "a stream's name is 1 to 64 letters, digits, _ and -"
HELD: Final = (
    'hello with a stream carries "held": {"first": …, "last": …}; holding nothing,'
    " first is last + 1"
)
SEQ_MISSING: Final = "after hello with a stream each frame has a seq, an integer from 1"
SEQ_ALIEN: Final = "a frame has a seq only after a hello with a stream"
HELLO_ONCE: Final = "hello comes once, before any frame"
BAD_AGE: Final = "age_ms must be a number of milliseconds, not negative"

TOKEN_TIMEOUT: Final = error("token_timeout", "no token was shown in time")
"""Told to who says nothing at all, with 4408."""

MESSAGES: Final = {
    "an empty message": bad(said(""), "not JSON: …"),
    "a message that is not JSON": bad(said("hello hub"), "not JSON: …"),
    "JSON that is cut off": bad(said('{"temperature":21.'), "not JSON: …"),
    "two JSON values in a message": bad(said('{"a":1}{"a":2}'), "not JSON: …"),
    "nesting that no parser follows": bad(said("[" * TOO_DEEP), "not JSON: …"),
    "nesting that no parser follows, closed": bad(
        said("[" * TOO_DEEP + "]" * TOO_DEEP), "not JSON: …"
    ),
    "a text for a message": bad(said('"temperature"'), NOT_OBJECT),
    "a number for a message": bad(said("21.5"), NOT_OBJECT),
    "null for a message": bad(said("null"), NOT_OBJECT),
    "a binary message": bad(framed(2, b'{"temperature":21.5}'), BINARY),
    "an empty binary message": bad(framed(2, b""), BINARY),
    "a message larger than announced": Abuse(
        said('{"readings":[]}'.ljust(FRAME_BYTES + 1)),
        error("frame_too_large", f"a frame has at most {FRAME_BYTES} bytes"),
        4413,
    ),
    "a message larger than announced in bytes, not in characters": Abuse(
        said(json.dumps({"x": "ü" * (FRAME_BYTES // 2)}, ensure_ascii=False)),
        error("frame_too_large", f"a frame has at most {FRAME_BYTES} bytes"),
        4413,
    ),
    "a message beyond the hard cap": Abuse(said(" " * (HARD_CAP_BYTES + 1)), (), 1009),
    "a message beyond the hard cap, in pieces": Abuse(
        framed(TEXT, b" " * HARD_CAP_BYTES, final=False) + framed(0, b" "), (), 1009
    ),
}

TOKENS: Final = {
    "only other subprotocols": Abuse(
        b"",
        error("no_common_subprotocol", "this hub speaks weir.v1"),
        4406,
        headers=(("Sec-WebSocket-Protocol", "mqtt, weir.v2"),),
    ),
    "a frame before any token": Abuse(
        said({"x": 1}),
        error("token_missing", "show a token first: Authorization: Bearer, or hello"),
        4401,
        Opening.BARE,
    ),
    "a frame after a token in the URL": Abuse(
        said({"x": 1}),
        error("token_missing", "show a token first: Authorization: Bearer, or hello"),
        4401,
        Opening.BARE,
        path="/ws/ingest/?token={token}",
    ),
    "a hello without any token": Abuse(
        hello(),
        error("token_missing", "show a token: Authorization: Bearer, or in hello"),
        4401,
        Opening.BARE,
    ),
    "a hello with a stream and without any token": Abuse(
        hello(stream=STREAM, held={"first": 1, "last": 0}),
        error("token_missing", "show a token: Authorization: Bearer, or in hello"),
        4401,
        Opening.BARE,
    ),
    "a token that nobody knows": Abuse(
        hello(token="weir_mistyped"),
        error("token_invalid", "this token is not known to the hub"),
        4401,
        Opening.BARE,
    ),
    "a token that is no text": bad(hello(token=7), "the token in hello must be a text"),
}

PLAIN: Final = {
    "a seq on a plain connection": bad(empty(1), SEQ_ALIEN),
    "a second hello": Abuse(
        hello() + hello(),
        ({"type": "welcome"}, *error("bad_message", HELLO_ONCE)),
        4400,
    ),
    "a hello after a frame": bad(hello(), HELLO_ONCE, Opening.SPOKEN),
}

STREAMS: Final = {
    "a stream whose name is empty": bad(hello(stream="", held={"first": 1, "last": 0}), NAME),
    "a stream whose name has a space": bad(hello(stream="a b", held={"first": 1, "last": 0}), NAME),
    "a stream whose name is too long": bad(
        hello(stream="a" * 65, held={"first": 1, "last": 0}), NAME
    ),
    "a stream whose name is a number": bad(hello(stream=7, held={"first": 1, "last": 0}), NAME),
    "a stream without what is held": bad(hello(stream=STREAM), HELD),
    "a stream that holds a list": bad(hello(stream=STREAM, held=[1, 0]), HELD),
    "a stream that holds from 0": bad(hello(stream=STREAM, held={"first": 0, "last": 0}), HELD),
    "a stream that holds a gap": bad(hello(stream=STREAM, held={"first": 9, "last": 3}), HELD),
    "a stream that holds a fraction": bad(
        hello(stream=STREAM, held={"first": 1.5, "last": 3}), HELD
    ),
    "a stream that holds from true": bad(
        hello(stream=STREAM, held={"first": True, "last": 3}), HELD
    ),
    "a stream's name that was used before": Abuse(
        hello(stream=STREAM, held={"first": 1, "last": 0}),
        error("stream_reused", "this stream is committed through 1: come back with a new name"),
        4400,
        Opening.COMMITTED,
    ),
    "a frame of a stream without a seq": bad(
        said({"readings": []}), SEQ_MISSING, Opening.RELIABLE, seq=2
    ),
    "a bare array on a stream": bad(said([]), SEQ_MISSING, Opening.RELIABLE, seq=2),
    **{
        f"the seq {seq}": bad(
            said(f'{{"seq":{seq},"readings":[]}}'), SEQ_MISSING, Opening.RELIABLE, seq=2
        )
        for seq in ("0", "-1", '"2"', "true", "2.0", "null", str(2**53 + 1), "1e400")
    },
    "a frame of a stream that is not JSON": bad(
        said('{"seq":2,"readings":[oops'), "not JSON: …", Opening.RELIABLE, seq=2
    ),
    "a frame of a stream that is binary": bad(
        framed(2, b'{"seq":2}'), BINARY, Opening.RELIABLE, seq=2
    ),
    "a frame that is not JSON while a nack stands": bad(
        said("oops"), "not JSON: …", Opening.NACKED
    ),
    "a hello on a stream": bad(hello(), HELLO_ONCE, Opening.RELIABLE),
    "a gap in the numbers": Abuse(
        empty(3),
        ({"type": "nack", "seq": 3, "code": "out_of_order", "expected": 2},),
        opening=Opening.RELIABLE,
    ),
    "more gaps while a nack stands": Abuse(empty(4, 3, 9), opening=Opening.NACKED),
    "a gap after the frame that was due": Abuse(
        empty(2, 4),
        (*ack(2), {"type": "nack", "seq": 4, "code": "out_of_order", "expected": 3}),
        opening=Opening.NACKED,
    ),
    "a frame that was acked before": Abuse(empty(1), ack(1), opening=Opening.RELIABLE),
    "a frame of a stream that is larger than announced": Abuse(
        said('{"seq":2,"readings":[]}'.ljust(FRAME_BYTES + 1)),
        error("frame_too_large", f"a frame has at most {FRAME_BYTES} bytes"),
        4413,
        Opening.RELIABLE,
    ),
    "frames far beyond the window": Abuse(
        empty(*range(3, 3 + 2 * IN_FLIGHT + 1)),
        (
            {"type": "nack", "seq": 3, "code": "out_of_order", "expected": 2},
            *error("window_exceeded", f"at most {IN_FLIGHT} frames may be unacked"),
        ),
        4429,
        Opening.RELIABLE,
    ),
}

FRAMES: Final = {
    "a type that the hub does not know": refused(
        {"type": "subscribe"}, "the hub knows no message of this type"
    ),
    "readings that are no array": refused({"readings": 5}, "readings must be an array of samples"),
    "columns that are no object": refused(
        {"columns": [1, 2]}, "columns must be an object of arrays"
    ),
    "an age that is negative": refused({"age_ms": -1, "temperature": 21.5}, BAD_AGE),
    "an age that is a text": refused({"age_ms": "1", "temperature": 21.5}, BAD_AGE),
    "more readings than a frame may have": refused(
        {"columns": {"x": [1] * 10_001}},
        "a frame has at most 10000 readings, this one has 10001",
        10_001,
    ),
}

WEBSOCKET: Final = {
    "text that is not UTF-8": Abuse(framed(TEXT, b'{"x":"\xff"}'), (), 1007),
    "a surrogate in UTF-8": Abuse(framed(TEXT, b'{"x":"\xed\xa0\x80"}'), (), 1007),
    "a character cut off at the end of a message": Abuse(framed(TEXT, b'{"x":"\xc3'), (), 1007),
    "a frame that is not masked": Abuse(framed(TEXT, b"{}", masked=False), (), 1002),
    "an opcode that there is not": Abuse(framed(5, b"{}"), (), 1002),
    "a control opcode that there is not": Abuse(framed(11, b""), (), 1002),
    "a reserved bit": Abuse(framed(TEXT, b"{}", reserved=4), (), 1002),
    "a continuation of nothing": Abuse(framed(0, b"{}"), (), 1002),
    "a message begun within another": Abuse(
        framed(TEXT, b"{", final=False) + framed(TEXT, b"}"), (), 1002
    ),
    "a ping that is cut up": Abuse(framed(PING, b"x", final=False), (), 1002),
    "a ping of more than 125 bytes": Abuse(framed(PING, b"x" * 126), (), 1002),
    "a length that has its highest bit set": Abuse(b"\x81\xff\x80" + bytes(7) + bytes(4), (), 1002),
}

LEAVING: Final = {  # to a client that is going by itself, in whatever way, the hub says no word
    "a close frame of one byte": Abuse(framed(CLOSE, b"\x03"), (), 1006),
    "a close code that is never sent": Abuse(framed(CLOSE, b"\x03\xed"), (), 1006),
    "a close reason that is not UTF-8": Abuse(framed(CLOSE, b"\x03\xe8\xff"), (), 1006),
}

ABUSES: Final[dict[str, Abuse]] = {
    **MESSAGES,
    **TOKENS,
    **PLAIN,
    **STREAMS,
    **FRAMES,
    **WEBSOCKET,
    **LEAVING,
}
