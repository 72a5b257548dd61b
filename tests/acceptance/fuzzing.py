"""What no device should send, at random: made from what one does send, by a `random.Random`.

Texts that are nearly frames or hellos, and bytes that are nearly a WebSocket. The same seed gives
the same bytes.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from random import Random

from faults.raw import CLOSE, PING, PONG, TEXT

CONTINUED = 0x0
BINARY = 0x2

TIME_MS = 1_750_000_000_000
BITS = ["[", "]", "{", "}", ",", ":", '"', "\\", "null", "true", "1e999", "NaN", "-", "0", "9" * 40]
ODD = ["\0", "\x7f", "é", "\U0001f600", "\u2028", "\\ud800", "\\u0000", " ", "\n", "\ufeff"]
KEYS = ["readings", "columns", "senml", "values", "ts", "seq", "age_ms", "type", "hello", "held"]


def messages(rng: Random) -> list[str]:
    """Texts of a device that means well: plain frames, or a hello and a stream's."""
    many = rng.randint(1, 6)
    if rng.random() < 0.5:
        return [json.dumps(frame(rng, n)) for n in range(many)]
    hello = {
        "type": "hello",
        "stream": f"s{rng.randrange(4)}",
        "held": {"first": 1, "last": rng.randint(0, 9)},
    }
    return [json.dumps(hello), *(json.dumps({"seq": n + 1} | frame(rng, n)) for n in range(many))]


def frame(rng: Random, n: int) -> dict[str, object]:
    """In one of its forms, of a few readings."""
    ts, value = TIME_MS + rng.randrange(10**9), rng.choice([1, 2.5, True, "on", -7e300, None])
    metric = f"m{n % 5}-{rng.randrange(3)}"
    forms: list[dict[str, object]] = [
        {"readings": [{"ts": ts, "values": {metric: value}}, {"values": {"x": 1, metric: n}}]},
        {"columns": {"ts": [ts, ts + 1], metric: [value, None], "x": [1.5, 2.5]}},
        {"ts": ts, "values": {metric: value}},
        {"ts": ts, metric: value, "age_ms": 5},
        {"senml": [{"n": metric, "v": 1}]},
    ]
    return rng.choice(forms)


def mangled(rng: Random, text: str) -> str:
    """With a few bits cut out, put in, doubled or exchanged."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        until = min(len(text), at + rng.choice([0, 1, 1, 3, 20]))
        put = rng.choice(
            [
                "",
                text[at:until] * 2,
                rng.choice(BITS),
                rng.choice(ODD),
                f'"{rng.choice(KEYS)}":',
                "[" * rng.choice([5, 200, 2_000]),
                str(rng.randrange(-(10**20), 10**20)),
            ]
        )
        text = text[:at] + put + text[until:]
    return text


def one_frame(
    rng: Random,
    opcode: int,
    body: bytes,
    *,
    final: bool = True,
    masked: bool = True,
    reserved: int = 0,
    claims: int | None = None,
) -> bytes:
    """A WebSocket frame with a random mask; `claims` is another length than it has."""
    length = len(body) if claims is None else claims
    first = (0x80 if final else 0) | reserved << 4 | opcode
    bit = 0x80 if masked else 0
    if length < 126:
        head = struct.pack(">BB", first, bit | length)
    elif length < 65_536:
        head = struct.pack(">BBH", first, bit | 126, length)
    else:
        head = struct.pack(">BBQ", first, bit | 127, length)
    if not masked:
        return head + body
    mask = rng.randbytes(4)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(body))


def whole(rng: Random, text: str) -> bytes:
    """A message cut into frames, perhaps, with pings and pongs in between."""
    body = text.encode("utf-8", "surrogatepass")
    cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice([0, 0, 0, 1, 2, 5])))
    parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    sent = b""
    for i, part in enumerate(parts):
        if rng.random() < 0.2:
            sent += one_frame(rng, rng.choice([PING, PONG]), rng.randbytes(rng.randrange(126)))
        opcode = TEXT if i == 0 else CONTINUED
        sent += one_frame(rng, opcode, part, final=i == len(parts) - 1)
    return sent


def broken(rng: Random) -> bytes:
    """A frame that breaks one of the rules of RFC 6455, or comes close to it."""
    body = json.dumps(frame(rng, 0)).encode()
    cut = rng.randrange(1, len(body))
    ways: Sequence[Callable[[], bytes]] = [
        lambda: one_frame(rng, rng.choice([3, 4, 5, 6, 7, 11, 12, 15]), body[:100]),
        lambda: one_frame(rng, TEXT, body, reserved=rng.randint(1, 7)),
        lambda: one_frame(rng, TEXT, body, masked=False),
        lambda: one_frame(rng, BINARY, body),
        lambda: one_frame(rng, CONTINUED, body),
        lambda: one_frame(rng, TEXT, body[:cut], final=False) + one_frame(rng, TEXT, body[cut:]),
        lambda: one_frame(rng, PING, body[:100], final=False),
        lambda: one_frame(rng, PING, b"x" * 126),
        lambda: one_frame(rng, TEXT, b'{"x":"\xff"}'),
        lambda: one_frame(rng, TEXT, b'{"x":"\xc3', final=False) + one_frame(rng, CONTINUED, b'"}'),
        lambda: (
            one_frame(rng, TEXT, b'{"x":"\xf0\x9f', final=False)
            + one_frame(rng, CONTINUED, b'\x98\x80"}')
        ),
        lambda: one_frame(rng, TEXT, b'{"x":"\xed\xa0\x80"}'),
        lambda: one_frame(rng, TEXT, b"", claims=rng.choice([2**22 + 1, 2**31, 2**63, 2**64 - 1])),
        lambda: one_frame(rng, TEXT, body, claims=len(body) + rng.randint(1, 9)),
        lambda: one_frame(rng, TEXT, body, claims=max(0, len(body) - rng.randint(1, 9))),
        lambda: struct.pack(">BBH", 0x81, 0x80 | 126, 5) + bytes(4) + b'{"x":',  # not the shortest
        lambda: struct.pack(">BBQ", 0x81, 0x80 | 127, 5) + bytes(4) + b'{"x":',
        lambda: one_frame(rng, TEXT, b" " * 262_145),
        lambda: one_frame(rng, CLOSE, b""),
        lambda: one_frame(rng, CLOSE, b"\x03"),
        lambda: one_frame(rng, CLOSE, struct.pack(">H", rng.choice([0, 999, 1004, 1005, 2999]))),
        lambda: one_frame(rng, CLOSE, struct.pack(">H", rng.choice([1000, 1001, 3000, 4999]))),
        lambda: one_frame(rng, CLOSE, struct.pack(">H", 1000) + b"\xff\xfe"),
        lambda: one_frame(rng, CLOSE, struct.pack(">H", 1000)) + one_frame(rng, TEXT, body),
    ]
    return rng.choice(ways)()


def flipped(rng: Random, sent: bytes) -> bytes:
    """With a few bytes another, gone, or more."""
    changed = bytearray(sent)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(changed)) if changed else 0
        match rng.randrange(3):
            case 0 if changed:
                changed[at] ^= 1 << rng.randrange(8)
            case 1:
                del changed[at : at + rng.randint(1, 8)]
            case _:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
    return bytes(changed)


def pieces(rng: Random, sent: bytes) -> list[bytes]:
    """As a network might bring it."""
    cuts = sorted(rng.randrange(len(sent) + 1) for _ in range(rng.choice([0, 0, 1, 3, 8])))
    return [sent[a:b] for a, b in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
