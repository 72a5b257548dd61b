"""Who is let in by a real hub, who is not, and who is shown out; with no harm to anybody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from websockets.asyncio.client import connect

from tests.acceptance.conftest import ENGINES
from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store

OPTIONS = {"WEIR_REVOCATION_INTERVAL_S": 0.2}
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("neighbour")


@pytest.fixture(scope="module", params=ENGINES)
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub"), options=OPTIONS) as hub:
        yield hub


SHOWN = ["header", "hello", "hello with a stream", "subprotocol"]


@pytest.fixture(params=SHOWN)
def refusal(request: pytest.FixtureRequest, hub: Hub) -> Callable[[str], Any]:
    """What a hub says to a token, shown in each of the ways."""

    async def refusal(token: str) -> tuple[dict[str, Any], int]:
        in_header = token if request.param == "header" else None
        offered = ["weir.v1"]
        if request.param == "subprotocol":
            offered.append(f"bearer.{token}")
        async with device(hub.url, in_header, subprotocols=offered) as abuser:
            if request.param == "hello":
                await abuser.say({"type": "hello", "token": token})
            elif request.param == "hello with a stream":
                held = {"first": 1, "last": 0}
                await abuser.say({"type": "hello", "token": token, "stream": "s", "held": held})
            return await abuser.hear_last_word()

    return refusal


def error_of(code: str, message: str) -> dict[str, str]:
    return {"type": "error", "code": code, "message": message}


UNKNOWN = error_of("token_invalid", "this token is not known to the hub")


async def test_a_wrong_token_is_refused(hub: Hub, token: str, refusal: Any) -> None:
    assert await refusal("wrong") == (UNKNOWN, 4401)
    assert await refusal(token[:-1] + ("A" if token[-1] != "A" else "B")) == (UNKNOWN, 4401)


async def test_an_expired_token_is_refused(hub: Hub, refusal: Any) -> None:
    token = hub.store.add_device("abuser", expires_at=NOW - HOUR)
    assert await refusal(token) == (error_of("token_expired", "this token has expired"), 4401)


async def test_a_token_that_is_not_valid_yet_is_refused(hub: Hub, refusal: Any) -> None:
    token = hub.store.add_device("abuser", not_before=NOW + HOUR)
    assert await refusal(token) == (error_of("token_not_yet", "this token is not valid yet"), 4401)


async def test_a_revoked_token_is_refused(hub: Hub, refusal: Any) -> None:
    token = hub.store.add_device("abuser", revoked_at=NOW - HOUR)
    assert await refusal(token) == (error_of("token_revoked", "this token has been revoked"), 4403)


async def test_a_token_of_a_disabled_device_is_refused(hub: Hub, refusal: Any) -> None:
    token = hub.store.add_device("disabled", enabled=False)
    assert await refusal(token) == (error_of("device_disabled", "this device is disabled"), 4403)


@pytest.mark.parametrize("offered", [None, ["weir.v1"], ["mqtt", "weir.v1"]])
async def test_a_client_that_offers_no_protocol_or_ours_is_served(
    hub: Hub, token: str, offered: list[str] | None
) -> None:
    async with device(hub.url, token, subprotocols=offered) as plain:
        assert plain.connection.subprotocol == (offered and "weir.v1")
        assert (await plain.ask({"x": 1}))["type"] == "ack"


async def test_a_browser_shows_its_token_as_a_subprotocol_that_is_not_chosen(
    hub: Hub, token: str
) -> None:
    async with device(hub.url, subprotocols=["weir.v1", f"bearer.{token}"]) as browser:
        assert browser.connection.subprotocol == "weir.v1"
        assert (await browser.ask({"x": 1}))["type"] == "ack"


async def test_a_token_in_hello_is_enough_for_plain_frames(hub: Hub, token: str) -> None:
    async with device(hub.url) as plain:
        welcome = await plain.ask({"type": "hello", "token": token})
        assert welcome["type"] == "welcome"
        assert "resume" not in welcome
        assert (await plain.ask({"x": 1}))["seq"] == 1


async def test_a_device_that_is_disabled_while_connected_is_closed(hub: Hub) -> None:
    token = hub.store.add_device("out-1")
    async with device(hub.url, token) as guest:
        await guest.ask({"x": 1})
        hub.store.rows("UPDATE devices_device SET enabled = %s WHERE uid = 'out-1'", False)
        error = error_of("device_disabled", "this device is disabled")
        assert await guest.hear_last_word() == (error, 4403)


@pytest.mark.parametrize(
    ("column", "code", "closes"),
    [("revoked_at", "token_revoked", 4403), ("expires_at", "token_expired", 4401)],
)
async def test_a_token_that_ends_while_connected_closes_its_connections_only(
    hub: Hub, column: str, code: str, closes: int
) -> None:
    ending, lasting = hub.store.add_device("out-2"), hub.store.add_device("out-2")
    async with device(hub.url, ending) as guest, device(hub.url, lasting) as other:
        await guest.hello()
        await other.hello()
        hub.store.rows(
            f"UPDATE devices_token SET {column} = %s WHERE prefix = %s", NOW, ending[5:15]
        )
        error, code_heard = await guest.hear_last_word()
        assert (error["code"], code_heard) == (code, closes)
        assert (await other.ask(frame(1)))["seq"] == 1


async def test_a_device_that_is_deleted_while_connected_is_closed(hub: Hub) -> None:
    token = hub.store.add_device("out-3")
    number = hub.store.device_id("out-3")
    async with device(hub.url, token) as guest:
        await guest.hello()
        for table in ("devices_token", "ingest_stream"):
            hub.store.rows(f"DELETE FROM {table} WHERE device_id = %s", number)
        hub.store.rows("DELETE FROM devices_device WHERE id = %s", number)
        assert await guest.hear_last_word() == (UNKNOWN, 4401)


async def test_a_device_speaks_for_itself_alone(hub: Hub) -> None:
    """Whatever it names itself, in whichever form."""
    hub.store.add_device("victim")
    liar = hub.store.add_device("liar")
    claims = {"uid": "victim", "device": "victim", "device_id": hub.store.device_id("victim")}
    async with device(hub.url, liar, subprotocols=["weir.v1", "bearer.victim"]) as plain:
        await plain.ask({"level": 1, **claims})
        await plain.ask({"readings": [{"values": {"level": 2}, **claims}], **claims})
    async with device(hub.url, liar) as reliable:
        await reliable.hello("victim", uid="victim", device="victim")
        assert (await reliable.ask(frame(1) | claims))["stored"] == 1
    headers = {"Authorization": f"Bearer {liar}", "X-Device": "victim"}
    assert hub.ask("/ingest/?device=victim", '{"level":3}', headers=headers).status == 200
    assert hub.store.values_of("victim") == []
    assert len(hub.store.values_of("liar")) >= 4


async def test_a_token_in_the_address_is_no_token(hub: Hub, token: str) -> None:
    asked = f"?token={token}&access_token={token}&bearer={token}"
    async with device(hub.url + asked) as abuser:
        await abuser.say({"x": 1})
        error, code = await abuser.hear_last_word()
        assert (error["code"], code) == ("token_missing", 4401)
    answer = hub.ask(f"/ingest/{asked}", '{"x":1}')
    assert (answer.status, answer.json["code"]) == (401, "token_missing")
    assert token[16:] not in hub.log


@pytest.mark.parametrize("origin", ["file://", "null", "https://elsewhere.example"])
async def test_a_device_may_say_that_it_comes_from_anywhere(
    hub: Hub, token: str, origin: str
) -> None:
    """Arduino's library says `file://`, a page on somebody's disk says `null`."""
    headers = {"Authorization": f"Bearer {token}", "Origin": origin}
    async with connect(hub.url, additional_headers=headers, proxy=None) as connection:
        assert (await Device(connection).ask({"x": 1}))["type"] == "ack"
