"""Reliable connections on a real hub: order, resume, take-over."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.acceptance.conftest import ENGINES
from tests.acceptance.devices import REPLACED, device, frame, once_more
from tests.hubs import Hub, Store

STREAMS_KEPT = 8
NOTHING = {"stored": 0, "duplicate": 0, "rejected": 0}


@pytest.fixture(scope="module", params=ENGINES)
def hub(
    request: pytest.FixtureRequest,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    with Hub(new_store(request.param), tmp_path_factory.mktemp("hub")) as hub:
        yield hub


@pytest.fixture(autouse=True)
def clean_log(hub: Hub) -> Iterator[None]:
    yield
    assert "Traceback" not in hub.log


@pytest.fixture
def uid() -> str:
    """A device of this test's own."""
    return f"device-{secrets.token_hex(4)}"


async def test_a_welcome_tells_where_the_stream_stands_and_what_holds(hub: Hub, uid: str) -> None:
    async with device(hub.url, hub.store.add_device(uid)) as first:
        welcome = await first.hello("b3f1c2d4")
        assert welcome["type"] == "welcome"
        assert welcome["resume"] == {"stream": "b3f1c2d4", "committed": 0, "lost": 0, **NOTHING}
        limits = welcome["limits"]
        assert (limits["frame_bytes"], limits["frame_readings"]) == (262_144, 10_000)
        assert (limits["in_flight"], limits["future_s"], limits["ping_s"]) == (32, 600, 20)


async def test_after_a_cut_the_device_goes_on_where_the_hub_stands(hub: Hub, uid: str) -> None:
    token, held, heard = hub.store.add_device(uid), 0, 0
    for _ in range(10):
        async with device(hub.url, token) as cut:
            welcome = await cut.hello("cut", heard + 1, held)
            assert heard <= welcome["resume"]["committed"] <= held
            heard = welcome["resume"]["committed"]
            held = max(held, heard) + 7
            await cut.say(*(frame(seq) for seq in range(heard + 1, held + 1)))
            heard = (await cut.hear())["seq"]
            cut.connection.transport.abort()
    async with device(hub.url, token) as last:
        heard = (await last.hello("cut", heard + 1, held))["resume"]["committed"]
        await last.say(*(frame(seq) for seq in range(heard + 1, held + 2)))
        await last.hear_acks_through(held + 1)
        resume = (await once_more(hub.url, token, "cut", held + 2))["resume"]
    assert hub.store.values_of(uid) == [float(n) for n in range(1, held + 2)]
    assert (resume["stored"], resume["duplicate"], resume["lost"]) == (held + 1, 0, 0)


async def test_a_committed_frame_sent_again_is_acked_at_once_with_zero_counts(
    hub: Hub, uid: str
) -> None:
    async with device(hub.url, hub.store.add_device(uid)) as twice:
        await twice.hello()
        await twice.say(*(frame(seq) for seq in (1, 2, 3)))
        await twice.hear_acks_through(3)
        assert await twice.ask(frame(1)) == {"type": "ack", "seq": 3, **NOTHING}
        assert await twice.ask(frame(3, 99)) == {"type": "ack", "seq": 3, **NOTHING}
    assert hub.store.values_of(uid) == [1.0, 2.0, 3.0]


async def test_a_frame_out_of_order_is_nacked_once_and_what_follows_is_dropped(
    hub: Hub, uid: str
) -> None:
    async with device(hub.url, hub.store.add_device(uid)) as gap:
        await gap.hello()
        await gap.say(frame(1), frame(3), frame(4), frame(5))
        nack = {"type": "nack", "seq": 3, "code": "out_of_order", "expected": 2}
        heard = [await gap.hear(), await gap.hear()]
        assert nack in heard
        assert {"type": "ack", "seq": 1, **NOTHING, "stored": 1} in heard
        await gap.say(frame(2), frame(3))
        counts = await gap.hear_acks_through(3)
        assert counts["stored"] == 2
    assert hub.store.values_of(uid) == [1.0, 2.0, 3.0]


async def test_numbers_that_the_device_dropped_are_counted_as_lost(hub: Hub, uid: str) -> None:
    token = hub.store.add_device(uid)
    async with device(hub.url, token) as full:
        await full.hello("full")
        assert (await full.ask(frame(1)))["seq"] == 1
    async with device(hub.url, token) as full:
        resume = (await full.hello("full", 10, 12))["resume"]
        assert (resume["committed"], resume["lost"], resume["stored"]) == (9, 8, 1)
        assert (await full.ask(frame(10)))["seq"] == 10


async def test_a_stream_whose_name_was_used_before_is_refused(hub: Hub, uid: str) -> None:
    token = hub.store.add_device(uid)
    async with device(hub.url, token) as before:
        await before.hello("boot")
        await before.say(frame(1), frame(2))
        await before.hear_acks_through(2)
    async with device(hub.url, token) as after:
        held = {"first": 1, "last": 1}
        await after.say({"type": "hello", "stream": "boot", "held": held})
        error, code = await after.hear_last_word()
        assert (error["code"], code) == ("stream_reused", 4400)
        assert "2" in error["message"]


async def test_a_newer_connection_of_the_stream_replaces_the_older(hub: Hub, uid: str) -> None:
    token = hub.store.add_device(uid)
    async with device(hub.url, token) as older, device(hub.url, token) as newer:
        await older.hello("boot")
        assert (await older.ask(frame(1)))["seq"] == 1
        assert (await newer.hello("boot", 2))["resume"]["committed"] == 1
        assert await older.hear_last_word() == (REPLACED, 4409)
        assert (await newer.ask(frame(2)))["seq"] == 2


async def test_streams_and_plain_connections_of_one_device_do_not_replace_each_other(
    hub: Hub, uid: str
) -> None:
    token = hub.store.add_device(uid)
    async with (
        device(hub.url, token) as one,
        device(hub.url, token) as two,
        device(hub.url, token) as plain,
    ):
        await one.hello("one")
        await two.hello("two")
        assert (await plain.ask({"x": 1}))["seq"] == 1
        assert (await one.ask(frame(1)))["stored"] == 1
        assert (await two.ask(frame(1)))["duplicate"] == 1


async def test_the_stream_that_was_used_least_lately_is_forgotten(hub: Hub, uid: str) -> None:
    token = hub.store.add_device(uid)
    async with AsyncExitStack() as stack:
        for n in range(STREAMS_KEPT + 1):
            one = await stack.enter_async_context(device(hub.url, token))
            await one.hello(f"boot-{n}")
            assert (await one.ask(frame(1, n)))["stored"] == 1
    kept = hub.store.rows(
        "SELECT name FROM ingest_stream WHERE device_id = %s ORDER BY name",
        hub.store.device_id(uid),
    )
    assert kept == [(f"boot-{n}",) for n in range(1, STREAMS_KEPT + 1)]
    assert (await once_more(hub.url, token, "boot-0", 2))["resume"]["committed"] == 1
