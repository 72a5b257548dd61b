"""The log for programs, of a real hub: each closing is told, and nothing that was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.devices import device, frame
from tests.hubs import Hub, Store, wait_until

SENT = "a text that nobody else has said"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    options = {"WEIR_LOG_FORMAT": "json", "WEIR_HELLO_TIMEOUT_S": 0.2}
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub"), options=options) as hub:
        yield hub


def lines(hub: Hub, **which: object) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in hub.log.splitlines()]
    return [line for line in found if which.items() <= line.items()]


def told(hub: Hub, **which: object) -> dict[str, Any]:
    """The one line of the log like this, as soon as it is there."""
    wait_until(lambda: lines(hub, **which), f"a line with {which}")
    [line] = lines(hub, **which)
    return line


async def test_a_device_that_is_taken_over_is_told_of_by_the_name_it_was_welcomed_with(
    hub: Hub,
) -> None:
    token = hub.store.add_device("porch")
    async with device(hub.url, token) as one, device(hub.url, token) as two:
        welcome = await one.hello("s")
        await two.hello("s")
        await one.hear_last_word()
    line = told(hub, device="porch")
    assert line["connection"] == welcome["session"]
    assert (line["close"], line["code"], line["address"]) == (4409, "replaced", "127.0.0.1")
    assert line["message"].endswith("another connection has taken this stream over")


async def test_a_message_that_cannot_be_read_is_told_of_and_not_shown(hub: Hub) -> None:
    async with device(hub.url, hub.store.add_device("shed")) as one:
        assert (await one.ask({"state": SENT}))["stored"] == 1
        assert (await one.ask({"state": 1.5}))["rejected"] == 1
        await one.say(f'{{"state": "{SENT}"')
        await one.hear_last_word()
    assert told(hub, device="shed")["code"] == "bad_message"
    assert SENT not in hub.log


async def test_who_breaks_the_rules_of_websocket_is_told_of(hub: Hub) -> None:
    async with device(hub.url, hub.store.add_device("attic")) as one:
        await one.hello()
        await one.say("x" * (4 * 1024 * 1024 + 1))
        await one.hear_last_word()
    assert told(hub, device="attic")["code"] == "1009"


async def test_who_shows_no_token_is_told_of_by_its_address(hub: Hub) -> None:
    async with device(hub.url) as stranger:
        await stranger.hear_last_word()
    line = told(hub, code="token_timeout")
    assert line["address"] == "127.0.0.1"
    assert "device" not in line


async def test_who_leaves_by_itself_has_no_line(hub: Hub) -> None:
    before = len(lines(hub, code="token_timeout"))
    async with device(hub.url, hub.store.add_device("gone")) as one:
        await one.hello()
        await one.bring(frame(1))
    async with device(hub.url) as stranger:  # whose line comes after
        await stranger.hear_last_word()
    wait_until(lambda: len(lines(hub, code="token_timeout")) > before, "the other's line")
    assert not lines(hub, device="gone")
