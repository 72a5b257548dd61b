"""Every close code that the documents name is met by a test, and none is met that they do not name.

What one connection alone can do is in the table of `faults.abuse`. The others are tested where
what it takes is at hand.
"""

from __future__ import annotations

import re

import pytest

from faults.abuse import ABUSES
from tests import ROOT

ROW = re.compile(r"^\| (\d{4}) \| `(\w+)` \|", re.MULTILINE)

Code = tuple[int, str]

DEVICES: dict[Code, str] = {
    (4401, "token_not_yet"): "tests/acceptance/test_tokens.py",
    (4401, "token_expired"): "tests/acceptance/test_tokens.py",
    (4403, "token_revoked"): "tests/acceptance/test_tokens.py",
    (4403, "device_disabled"): "tests/acceptance/test_tokens.py",
    (4408, "token_timeout"): "faults/cases/protocol_abuse.py",
    (4409, "replaced"): "tests/acceptance/test_streams.py",
    (4429, "too_many_failures"): "tests/acceptance/test_failed_tokens.py",
    (4429, "too_many_connections"): "tests/acceptance/test_bad_messages.py",
    (4500, "bug"): "tests/integration/test_holding.py",
    (4503, "unavailable"): "tests/acceptance/test_trouble.py",
    (4503, "restart"): "tests/acceptance/test_ending.py",
}
DASHBOARDS: dict[Code, str] = dict.fromkeys(
    [
        (4401, "not_logged_in"),
        (4403, "foreign_origin"),
        (4403, "not_permitted"),
        (4503, "unavailable"),
        (4508, "too_slow"),
    ],
    "tests/integration/dashboards/test_live.py",
)


def documented(page: str) -> set[Code]:
    text = (ROOT / "docs" / page).read_text()
    return {(int(closes), code) for closes, code in ROW.findall(text)}


def abused() -> set[Code]:
    return {
        (abuse.closes, abuse.heard[-1]["code"])
        for abuse in ABUSES.values()
        if abuse.closes is not None and abuse.heard
    }


def test_every_close_code_of_the_protocol_is_met_by_a_test() -> None:
    assert documented("protocol.md") == abused() | DEVICES.keys()


def test_none_of_them_is_met_twice() -> None:
    assert not abused() & DEVICES.keys()


def test_every_close_code_of_the_dashboards_is_met_by_a_test() -> None:
    assert documented("live.md") == DASHBOARDS.keys()


@pytest.mark.parametrize(("code", "where"), [*DEVICES.items(), *DASHBOARDS.items()])
def test_it_is_met_where_it_is_said_to_be(code: Code, where: str) -> None:
    text = (ROOT / where).read_text()
    assert str(code[0]) in text
    assert code[1].upper() in text.upper()
