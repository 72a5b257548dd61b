"""An address that guesses is stopped, at each of a hub's doors; who was let in before is not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from tests.acceptance.devices import PATIENCE_S, Device, frame
from tests.hubs import Answer, Hub, Store

PER_MIN = 2  # half a minute is far away, even on a slow machine
ADDRESSES = (f"127.0.7.{n}" for n in count(1))


@pytest.fixture(scope="module")
def hub(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hub]:
    options = {"WEIR_FAILED_TOKENS_PER_MIN": PER_MIN}
    with Hub(new_store("sqlite"), tmp_path_factory.mktemp("hub"), options=options) as hub:
        yield hub
        assert "Traceback" not in hub.log


@pytest.fixture
def address() -> str:
    """One of this machine's that no other test has used."""
    return next(ADDRESSES)


@asynccontextmanager
async def socket(hub: Hub, address: str, *offered: str, **headers: str) -> AsyncIterator[Device]:
    async with connect(
        hub.url,
        subprotocols=[Subprotocol(name) for name in ("weir.v1", *offered)],
        additional_headers=headers,
        local_addr=(address, 0),
        open_timeout=PATIENCE_S,
        proxy=None,
    ) as connection:
        yield Device(connection)


async def header(hub: Hub, address: str, token: str) -> tuple[dict[str, Any], int]:
    async with socket(hub, address, Authorization=f"Bearer {token}") as guest:
        return await guest.hear_last_word()


async def subprotocol(hub: Hub, address: str, token: str) -> tuple[dict[str, Any], int]:
    async with socket(hub, address, f"bearer.{token}") as guest:
        return await guest.hear_last_word()


async def hello(hub: Hub, address: str, token: str) -> tuple[dict[str, Any], int]:
    async with socket(hub, address) as guest:
        await guest.say({"type": "hello", "token": token})
        return await guest.hear_last_word()


def post(hub: Hub, address: str, token: str) -> Answer:
    headers = {"Authorization": f"Bearer {token}"}
    return hub.ask("/ingest/", '{"x":1}', headers=headers, source=address)


async def guess_too_often(hub: Hub, address: str) -> None:
    ways = [header, subprotocol, hello]
    for n in range(PER_MIN - 1):
        error, code = await ways[n % 3](hub, address, f"guess-{n}-from-{address}")
        assert (error["code"], code) == ("token_invalid", 4401)
    assert post(hub, address, f"last-guess-from-{address}").json["code"] == "token_invalid"


@pytest.mark.parametrize("way", [header, subprotocol, hello])
async def test_one_guess_too_many_is_told_to_wait(hub: Hub, address: str, way: Any) -> None:
    await guess_too_often(hub, address)
    error, code = await way(hub, address, "one_more")
    assert (error["type"], error["code"], code) == ("error", "too_many_failures", 4429)
    assert error["retry_after_ms"] > 0


async def test_over_http_one_guess_too_many_is_told_to_wait(hub: Hub, address: str) -> None:
    before = hub.figures()['weir_tokens_total{outcome="limited"}']
    await guess_too_often(hub, address)
    answer = post(hub, address, "one_more")
    assert (answer.status, answer.json["code"]) == (429, "too_many_failures")
    assert int(answer.headers["Retry-After"]) >= 1
    assert hub.figures()['weir_tokens_total{outcome="limited"}'] == before + 1


async def test_devices_that_were_let_in_go_on_and_come_back(hub: Hub, address: str) -> None:
    token = hub.store.add_device("neighbour")
    async with socket(hub, address, Authorization=f"Bearer {token}") as neighbour:
        await neighbour.hello("s")
        await guess_too_often(hub, address)
        assert post(hub, address, hub.store.add_device("new")).status == 429
        assert (await neighbour.ask(frame(1)))["seq"] == 1
    async with socket(hub, address, Authorization=f"Bearer {token}") as neighbour:
        assert (await neighbour.hello("s", 2))["resume"]["committed"] == 1
    assert post(hub, address, token).status == 200
    assert post(hub, next(ADDRESSES), hub.store.add_device("new")).status == 200


async def test_a_device_with_a_wrong_token_keeps_none_of_its_neighbours_out(
    hub: Hub, address: str
) -> None:
    for _ in range(3 * PER_MIN):
        assert post(hub, address, f"mistyped-at-{address}").json["code"] == "token_invalid"
    assert post(hub, address, hub.store.add_device("next to it")).status == 200
    assert json.loads(post(hub, address, f"mistyped-at-{address}").body)["code"] == "token_invalid"
