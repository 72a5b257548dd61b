"""A device that brings too much, or names too much: it is told so, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.devices import Device, device, sample
from tests.hubs import Answer, Hub, Store, wait_until

# A burst is ten readings, and a frame that is no larger than others may be leaves a debt of days.
OPTIONS = {
    "WEIR_RATE_READINGS_PER_S": 1,
    "WEIR_RATE_BURST_S": 10,
    "WEIR_METRICS": 2,
    "WEIR_METRIC_MAX_CHARACTERS": 8,
    "WEIR_TEXT_MAX_CHARACTERS": 4,
    "WEIR_FRAME_MAX_BYTES": 1_000_000,
    # So that no window has to change for one large frame.
    "WEIR_BUFFER_BYTES": 10**12,
    "WEIR_BUFFER_READINGS": 10**12,
}
READINGS = 10_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub"), options=OPTIONS) as hub:
        yield hub
        assert "Traceback" not in hub.log


@pytest.fixture
def greedy(hub: Hub, request: pytest.FixtureRequest) -> str:
    """The token of a device that has brought nothing yet."""
    return hub.store.add_device(request.node.name.split("[")[0][:64])


def much() -> dict[str, Any]:
    times = [sample(n)["ts"] for n in range(READINGS)]
    return {"columns": {"ts": times, "level": [float(n) for n in range(READINGS)]}}


def post(hub: Hub, token: str, body: str) -> Answer:
    return hub.ask("/ingest/", body, headers={"Authorization": f"Bearer {token}"})


def met(hub: Hub, bound: str) -> float:
    return hub.figures()[f'weir_bounds_met_total{{bound="{bound}"}}']


async def asked_to_wait(greedy: Device) -> dict[str, Any]:
    """What a reliable device hears that goes on after a frame larger than its bucket."""
    await greedy.hello()
    assert (await greedy.ask({"seq": 1, **much()}))["stored"] == READINGS
    return await greedy.ask({"seq": 2, "readings": [sample(1, more=1.0)]})


async def test_a_large_frame_is_let_in_and_the_next_is_told_when_to_come(
    hub: Hub, greedy: str, neighbour: Device
) -> None:
    before = met(hub, "readings_per_s")
    async with device(hub.url, greedy) as one:
        nack = await asked_to_wait(one)
        wait_ms = nack.pop("retry_after_ms")
        assert nack == {"type": "nack", "seq": 2, "code": "rate_limited"}
        assert 0 < wait_ms <= 60_000
        # What was sent behind it is dropped without a word, and the device is still connected.
        await one.say({"seq": 3, "readings": []})
        assert (await one.ask({"seq": 1, "readings": []})) == {
            "type": "ack",
            "seq": 1,
            "stored": 0,
            "duplicate": 0,
            "rejected": 0,
        }
    assert met(hub, "readings_per_s") > before


async def test_its_other_connections_share_the_debt_and_other_devices_do_not(
    hub: Hub, greedy: str, neighbour: Device
) -> None:
    async with device(hub.url, greedy) as one, device(hub.url, greedy) as other:
        await asked_to_wait(one)
        await other.hello()
        assert (await other.ask({"seq": 1, "readings": []}))["code"] == "rate_limited"
        refused = await asyncio.to_thread(post, hub, greedy, '{"level":1}')
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert int(refused.headers["Retry-After"]) > 1
        served = await asyncio.to_thread(post, hub, hub.store.add_device("frugal"), '{"level":1}')
        assert served.status == 200


async def test_a_plain_connection_is_not_read_and_not_closed(
    hub: Hub, greedy: str, neighbour: Device
) -> None:
    before = met(hub, "readings_per_s")
    async with device(hub.url, greedy) as plain:
        assert (await plain.ask(much()))["stored"] == READINGS
        await plain.say(sample(1, more=1.0))
        await asyncio.to_thread(
            wait_until, lambda: met(hub, "readings_per_s") > before, "the frame is held"
        )
        assert (await neighbour.ask({"seq": 1, "readings": []}))["seq"] == 1
        assert plain.connection.close_code is None
    readings = hub.store.number("SELECT count(*) FROM devices_series WHERE metric = %s", "more")
    assert readings == 0


async def test_who_waits_as_it_was_told_loses_nothing_and_is_not_closed(
    sqlite_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Four frames of a burst each: three of them come too early."""
    options = {"WEIR_RATE_READINGS_PER_S": 40, "WEIR_RATE_BURST_S": 1}
    with Hub(sqlite_store, tmp_path_factory.mktemp("hub"), options=options) as hub:
        async with device(hub.url, sqlite_store.add_device("patient")) as patient:
            await patient.hello()
            for seq in range(1, 5):
                frame = {"seq": seq, "readings": [sample(40 * seq + n) for n in range(40)]}
                while (heard := await patient.ask(frame))["type"] == "nack":
                    assert heard["code"] == "rate_limited"
                    await asyncio.sleep(heard["retry_after_ms"] / 1_000)
                assert (heard["seq"], heard["stored"]) == (seq, 40)
    assert sqlite_store.readings() == 160


async def test_a_device_that_sends_for_nothing_what_is_settled_pays_for_it(
    sqlite_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Such frames are acked, whatever comes; but they leave a debt as others do."""
    options = {"WEIR_RATE_BYTES_PER_S": 100, "WEIR_RATE_BURST_S": 10}
    with Hub(sqlite_store, tmp_path_factory.mktemp("hub"), options=options) as hub:
        async with device(hub.url, sqlite_store.add_device("stuck")) as stuck:
            await stuck.hello()
            assert (await stuck.ask({"seq": 1, "readings": []}))["seq"] == 1
            again = {"seq": 1, "readings": [], "note": "x" * 100_000}
            for _ in range(2):
                assert (await stuck.ask(again))["type"] == "ack"
            assert (await stuck.ask({"seq": 2, "readings": []}))["code"] == "rate_limited"


async def test_a_device_may_name_so_many_metrics_and_so_long(hub: Hub, greedy: str) -> None:
    async with device(hub.url, greedy) as one:
        await one.hello()
        values = {"nine_char": 1.0, "state": "five!", "mode": "four", "level": 1.0, "third": 1.0}
        ack = await one.ask({"seq": 1, "readings": [sample(1, **values)]})
    assert (ack["stored"], ack["rejected"]) == (2, 3)
    told = {(error["metric"], error["code"]): error["message"] for error in ack["errors"]}
    assert told.keys() == {
        ("nine_char", "bad_metric"),
        ("state", "text_too_long"),
        ("third", "series_limit"),
    }
    assert told["state", "text_too_long"] == "a text has at most 4 characters"
    assert one.welcome["limits"]["metrics"] == 2
    figures = hub.figures()
    for code in ("bad_metric", "text_too_long", "series_limit"):
        assert figures[f'weir_refused_readings_total{{code="{code}"}}'] >= 1


async def test_each_bound_of_a_connection_is_counted_when_it_is_met(
    sqlite_store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = {
        "WEIR_FRAME_MAX_BYTES": 1_024,
        "WEIR_FRAME_MAX_READINGS": 5,
        "WEIR_IN_FLIGHT": 1,
        "WEIR_STREAMS": 1,
        "WEIR_PLAIN_CONNECTIONS": 1,
        "WEIR_REFUSED_KEPT": 1,
        "WEIR_FLUSH_INTERVAL_S": 1,  # so that a second frame finds the first one in flight
    }
    token = sqlite_store.add_device("clumsy")
    with Hub(sqlite_store, tmp_path_factory.mktemp("hub"), options=options) as hub:
        async with device(hub.url, token) as first, device(hub.url, token) as second:
            await first.hello("first")
            await second.hello("second")
            assert met(hub, "streams") == 1
            await second.say({"seq": 1, "readings": []}, {"seq": 2, "readings": []})
            assert (await second.hear())["code"] == "busy"
            assert (await second.hear())["seq"] == 1
            assert met(hub, "in_flight") == 1
            many = {"seq": 2, "readings": [sample(n) for n in range(6)]}
            assert (await second.ask(many))["errors"][0]["code"] == "bad_frame"
            assert met(hub, "frame_readings") == 1
            bad = {"seq": 3, "readings": [sample(n, t=[]) for n in range(3)]}
            assert (await second.ask(bad))["rejected"] == 3
            assert met(hub, "refused_kept") == 3  # of four, the one of before among them
            await second.say({"seq": 4, "note": "x" * 1_024})
            assert (await second.hear_last_word())[1] == 4413
            assert met(hub, "frame_bytes") == 1
        async with device(hub.url, token) as one, device(hub.url, token) as more:
            assert (await one.ask({"level": 1.0}))["seq"] == 1
            await more.say({"level": 2.0})
            assert (await more.hear_last_word())[0]["code"] == "too_many_connections"
            assert met(hub, "plain_connections") == 1
        assert (await asyncio.to_thread(post, hub, token, "x" * 2_000)).status == 413
        assert met(hub, "frame_bytes") == 2
