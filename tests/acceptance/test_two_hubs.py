"""Two hubs on one PostgreSQL: a device that comes to the other is fenced off from the first."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.devices import REPLACED, device, frame, once_more
from tests.hubs import Hub, Store


@pytest.fixture(scope="module")
def two_hubs(
    new_store: Callable[[str], Store], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Hub, Hub]]:
    store, folder = new_store("postgresql"), tmp_path_factory.mktemp("hubs")
    with Hub(store, folder) as one, Hub(store, folder) as two:
        yield one, two
        assert "Traceback" not in one.log + two.log


async def test_a_connection_taken_over_at_another_hub_stores_nothing_more(
    two_hubs: tuple[Hub, Hub],
) -> None:
    one, two = two_hubs
    token = one.store.add_device("taken")
    async with device(one.url, token) as older, device(two.url, token) as newer:
        await older.hello("boot")
        assert (await older.ask(frame(1)))["seq"] == 1
        assert (await newer.hello("boot", 2))["resume"]["committed"] == 1
        await older.say(frame(2, 200))
        assert await older.hear_last_word() == (REPLACED, 4409)
        assert (await newer.ask(frame(2)))["stored"] == 1
    assert one.store.values_of("taken") == [1.0, 2.0]
    assert one.figures()['weir_readings_total{outcome="fenced"}'] == 1


async def test_what_reached_a_frozen_hub_is_not_stored_after_a_take_over(
    two_hubs: tuple[Hub, Hub],
) -> None:
    one, two = two_hubs
    token = one.store.add_device("frozen")
    async with device(one.url, token) as older, device(two.url, token) as newer:
        await older.hello("boot")
        assert (await older.ask(frame(1)))["seq"] == 1
        one.send(signal.SIGSTOP)
        try:
            await older.say(*(frame(seq, 100 + seq) for seq in range(2, 20)))
            assert (await newer.hello("boot", 2))["resume"]["committed"] == 1
            await newer.say(*(frame(seq) for seq in range(2, 10)))
            assert (await newer.hear_acks_through(9))["stored"] == 8
        finally:
            one.send(signal.SIGCONT)
        assert await older.hear_last_word() == (REPLACED, 4409)
    assert one.store.values_of("frozen") == [float(n) for n in range(1, 10)]


async def test_a_device_that_flaps_between_two_hubs_loses_and_doubles_nothing(
    two_hubs: tuple[Hub, Hub],
) -> None:
    """Its frames carry no time, so that only their numbers keep one from being stored twice."""
    rng = random.Random(5)
    token = two_hubs[0].store.add_device("flaps")
    first, last, most = 1, 0, 300
    async with AsyncExitStack() as left_open:
        while first <= most:
            hub = rng.choice(two_hubs)
            link = await left_open.enter_async_context(device(hub.url, token))
            first = (await link.hello("boot", first, last))["resume"]["committed"] + 1
            if first > most:
                break
            upto = min(most, first + rng.randrange(1, 25))
            last = max(last, upto)
            await link.say(*({"seq": n, "values": {"n": n}} for n in range(first, upto + 1)))
            if rng.random() < 0.5:
                first = await link.hear_ack_of(rng.randrange(first, upto + 1)) + 1
    assert two_hubs[0].store.values_of("flaps") == [float(n) for n in range(1, most + 1)]
    ended = await once_more(two_hubs[0].url, token, "boot", most + 1)
    counts = {"stored": most, "duplicate": 0, "rejected": 0}
    assert ended["resume"] == {"stream": "boot", "committed": most, "lost": 0, **counts}


async def test_many_devices_flap_between_two_hubs_at_once(two_hubs: tuple[Hub, Hub]) -> None:
    store = two_hubs[0].store
    uids = [f"crowd-{n}" for n in range(8)]
    tokens = [store.add_device(uid) for uid in uids]

    async def flap(n: int) -> None:
        rng, first, last, most = random.Random(n), 1, 0, 60
        while first <= most:
            async with device(rng.choice(two_hubs).url, tokens[n]) as link:
                try:
                    first = (await link.hello("s", first, last))["resume"]["committed"] + 1
                    if first > most:
                        break
                    last = max(last, min(most, first + 9))
                    await link.say(
                        *({"seq": i, "values": {"n": i}} for i in range(first, last + 1))
                    )
                    if rng.random() < 0.7:
                        first = await link.hear_ack_of(last) + 1
                except ConnectionClosed:
                    continue

    await asyncio.gather(*(flap(n) for n in range(len(uids))))
    for uid in uids:
        assert store.values_of(uid) == [float(n) for n in range(1, 61)]
