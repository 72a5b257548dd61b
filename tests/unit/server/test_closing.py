from __future__ import annotations

import pytest

from project.server.closing import REASON_MOST_BYTES, may_be_sent, reason_bytes


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 3000, 4400, 4999])
def test_these_codes_may_be_sent(code: int) -> None:
    assert may_be_sent(code)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
def test_these_codes_are_never_sent(code: int) -> None:
    assert not may_be_sent(code)


def test_a_reason_is_utf_8() -> None:
    assert reason_bytes("zu groß") == "zu groß".encode()


@pytest.mark.parametrize("start", range(4))
def test_a_long_reason_is_cut_at_a_character(start: int) -> None:
    reason = "x" * start + "漢" * 100
    cut = reason_bytes(reason)
    assert REASON_MOST_BYTES - 3 < len(cut) <= REASON_MOST_BYTES
    assert reason.startswith(cut.decode())


def test_a_reason_that_is_no_text_is_sent_as_well_as_may_be() -> None:
    assert reason_bytes("a\ud800b") == b"a?b"
