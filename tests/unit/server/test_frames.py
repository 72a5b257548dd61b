from __future__ import annotations

import random

import pytest

from project.server.frames import BINARY, TEXT, framed, next_text, unmasked

MASK = b"\x37\xfa\x21\x3d"


def sent(payload: bytes, opcode: int = TEXT) -> bytes:
    """A frame as a client sends it."""
    plain = framed(opcode, payload)
    head = plain[: len(plain) - len(payload)]
    return bytes((head[0], head[1] | 0x80)) + head[2:] + MASK + unmasked(MASK, payload)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535])
def test_a_whole_text_is_read(length: int) -> None:
    data = sent(b"x" * length)
    assert next_text(data, 0, 65_535) == ("x" * length, length, len(data))


def test_frames_are_read_one_after_the_other() -> None:
    data = sent(b"one") + sent("zwölf".encode())
    found = next_text(data, 0, 100)
    assert found is not None
    assert found[0] == "one"
    assert next_text(data, found[2], 100) == ("zwölf", 6, len(data))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(sent(b"hello")[:-1], id="not whole"),
        pytest.param(sent(b"x" * 200)[:7], id="a head that is not whole"),
        pytest.param(framed(TEXT, b"hello"), id="not masked"),
        pytest.param(framed(TEXT, b"x" * 200), id="long and not masked"),
        pytest.param(sent(b"hello", BINARY), id="binary"),
        pytest.param(sent(b"hello", 0x01), id="the first of several"),
        pytest.param(sent(b"hello", 0x80), id="the last of several"),
        pytest.param(sent(b"hello", 0x89), id="a ping"),
        pytest.param(sent(b"hello", 0xC1), id="compressed"),
        pytest.param(sent(b"\xff\xfe"), id="not UTF-8"),
        pytest.param(sent("\ud800".encode("utf-8", "surrogatepass")), id="a lone surrogate"),
        pytest.param(sent(b"x" * 101), id="too large"),
        pytest.param(sent(b"x" * 65_536), id="of the longest form"),
        pytest.param(b"\x81\xfe\x00\x05" + MASK + b"hello", id="a length longer than need be"),
    ],
)
def test_the_rest_is_left_to_autobahn(data: bytes) -> None:
    assert next_text(data, 0, 100) is None


def test_unmasking_is_what_the_standard_says() -> None:
    rng = random.Random(5)
    for length in range(300):
        mask, payload = rng.randbytes(4), rng.randbytes(length)
        expected = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
        assert unmasked(mask, payload) == expected
