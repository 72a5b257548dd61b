"""Under which names this machine is reached."""

from __future__ import annotations

import pytest

from project.address import is_loopback, own_hosts, shown_host


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.7", False),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("hub.example", False),
    ],
)
def test_whether_only_this_machine_reaches_it(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_a_bound_address_is_shown_as_it_is() -> None:
    assert shown_host("127.0.0.1") == "127.0.0.1"
    assert shown_host("2001:db8::7") == "[2001:db8::7]"


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_where_every_address_is_bound_one_that_others_can_use_is_shown(host: str) -> None:
    shown = shown_host(host)
    assert shown not in {"0.0.0.0", "[::]"}
    assert shown in own_hosts(host)


def test_a_loopback_hub_is_called_by_loopback_names_alone() -> None:
    assert own_hosts("127.0.0.1") == ["localhost", "127.0.0.1", "[::1]"]
    assert own_hosts("192.0.2.7") == ["localhost", "127.0.0.1", "[::1]", "192.0.2.7"]
