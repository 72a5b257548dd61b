"""One line says why a connection was ended, and nobody can fill the log with them."""

from __future__ import annotations

import pytest

from devices.tokens import Bearer
from ingest.close import Close
from ingest.endings import Endings

PORCH = Bearer(1, 2, "porch", "", None)
REPLACED = Close(4409, "replaced", "another connection has taken this stream over")


def test_it_says_whose_it_was_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Endings().closed(PORCH, "192.0.2.7", REPLACED, 0)
    [line] = caplog.messages
    assert line == (
        "closed device porch from 192.0.2.7: 4409 replaced,"
        " another connection has taken this stream over"
    )
    [record] = caplog.records
    told = vars(record)
    assert (told["device"], told["close"], told["code"]) == ("porch", 4409, "replaced")


def test_who_was_not_let_in_is_an_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Endings().cut(None, "192.0.2.7", "no_pong", 0)
    assert caplog.messages == [
        "closed a connection that was not let in from 192.0.2.7: cut, no_pong"
    ]


def test_one_that_comes_back_only_to_be_closed_has_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    endings = Endings(per_min=2)
    for _ in range(100):
        endings.closed(PORCH, "192.0.2.7", REPLACED, 0)
    assert len(caplog.messages) == 2
    endings.closed(None, "192.0.2.7", REPLACED, 0)
    endings.closed(PORCH, "192.0.2.7", REPLACED, 60)
    assert len(caplog.messages) == 4
