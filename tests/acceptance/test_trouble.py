"""The database or Redis gone while devices are connected: none of them is closed, none loses."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from faults.raw import RawSocket, bearer, said
from project.health import ANSWER_WITHIN_S
from tests.acceptance.devices import Device, device, frame
from tests.hubs import Answer, Hub, Store, wait_until
from tests.servers import Postgres, Redis, create_database


async def until(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)


UNKNOWN = f"weir_{'A' * 10}_{'B' * 43}"  # of the form of a token, so that the database is asked


@pytest.fixture(scope="module")
def postgres(postgres_programs: Path) -> Iterator[Postgres]:
    """A server to stop and start, which each test leaves or finds as it likes."""
    with Postgres(postgres_programs) as server:
        yield server


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> Store:
    return Store.migrated(create_database(postgres.url))


@pytest.fixture
def postgres_hub(postgres: Postgres, migrated: Store, folder: Path) -> Iterator[Hub]:
    if not postgres.running:
        postgres.start()
    options = {"WEIR_RETRY_INTERVAL_S": 0.1, "WEIR_REVOCATION_INTERVAL_S": 0.2}
    with Hub(migrated.copy(folder), folder, options=options) as hub:
        yield hub
        assert "Traceback" not in hub.log


async def test_while_the_database_is_away_nobody_is_closed_and_acks_come_when_it_is_back(
    postgres_hub: Hub, postgres: Postgres
) -> None:
    hub = postgres_hub
    reliable_token = hub.store.add_device("reliable")
    plain_token, poster_token = hub.store.add_device("plain"), hub.store.add_device("poster")
    async with (
        device(hub.url, reliable_token) as reliable,
        device(hub.url, plain_token) as plain,
    ):
        await reliable.hello("boot")
        assert (await reliable.ask(frame(1)))["seq"] == (await plain.ask({"n": 1}))["seq"] == 1
        assert hub.ask("/readyz").status == 200

        await asyncio.to_thread(postgres.stop)
        brought = asyncio.create_task(reliable.bring(frame(2), frame(3)))
        await plain.say({"n": 2}, {"n": 3})
        await until(lambda: hub.ask("/readyz").status == 503, "the hub is not ready")
        found = hub.ask("/readyz").json
        assert found["database"] == "does not answer"
        assert postgres.password not in str(found)
        await until(lambda: "cannot write" in hub.ask("/readyz").json["writer"], "it is told")
        assert hub.ask("/healthz").status == 200
        assert hub.figures()["weir_database_in_trouble"] == 1

        for token in (reliable_token, UNKNOWN):
            async with device(hub.url, token) as new:
                error, code = await new.hear_last_word()
                assert (error["code"], code) == ("unavailable", 4503)
                assert error["retry_after_ms"] > 0
        headers = {"Authorization": f"Bearer {poster_token}"}
        answer = await asyncio.to_thread(hub.ask, "/ingest/", '{"n":1}', headers=headers)
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        await until(lambda: hub.figures()["weir_window"] == 0, "devices are told to wait")
        # Until now nothing was acked, and nothing closed.
        assert not brought.done()
        assert hub.figures()["weir_readings_pending"] > 0
        assert hub.figures()["weir_devices_connected"] == 2

        await asyncio.to_thread(postgres.start)
        await brought
        assert reliable.window == 0
        assert await reliable.hear_window() == 32
        assert (await plain.hear_acks_through(3))["stored"] == 2
        await until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")
        async with device(hub.url, reliable_token) as new:
            assert (await new.hello("boot", 4))["resume"]["committed"] == 3
    assert hub.store.values_of("reliable") == hub.store.values_of("plain") == [1.0, 2.0, 3.0]


async def test_an_idle_hub_is_ready_again_by_itself(postgres_hub: Hub, postgres: Postgres) -> None:
    """A balancer sends nobody to a hub that is not ready: no frame would find out that it is."""
    hub = postgres_hub
    async with device(hub.url, hub.store.add_device("early")) as early:
        # Let in, but not yet in a stream: the hello finds out.
        await until(lambda: hub.figures()["weir_devices_connected"] == 1, "it is let in")
        await asyncio.to_thread(postgres.stop)
        held = {"first": 1, "last": 0}
        await early.say({"type": "hello", "stream": "boot", "held": held})
        error, code = await early.hear_last_word()
        assert (error["code"], code) == ("unavailable", 4503)
    assert hub.ask("/readyz").status == 503
    await asyncio.to_thread(postgres.start)
    await until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")


def test_a_database_that_hangs_is_told_in_time_however_many_ask(
    postgres_hub: Hub, postgres: Postgres
) -> None:
    hub = postgres_hub
    pid = int((postgres.folder / "stored" / "postmaster.pid").read_text().split()[0])
    with ThreadPoolExecutor() as pool:
        os.kill(pid, signal.SIGSTOP)  # new connections open, and nobody answers them
        try:
            asked_s = time.monotonic()
            answers = list(pool.map(hub.ask, ["/readyz"] * 4))
            assert [answer.status for answer in answers] == [503] * 4
            assert answers[0].json["database"] == "does not answer"
            assert time.monotonic() - asked_s < 2 * ANSWER_WITHIN_S
            assert hub.ask("/healthz").status == 200
        finally:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")


async def test_a_hub_told_to_end_while_the_database_is_away_says_what_it_leaves(
    postgres_hub: Hub, postgres: Postgres
) -> None:
    hub = postgres_hub
    async with device(hub.url, hub.store.add_device("late")) as late:
        await late.hello()
        await asyncio.to_thread(postgres.stop)
        await late.say(frame(1))
        await until(lambda: hub.figures()["weir_frames_in_flight"] == 1, "the frame is taken")
        await asyncio.to_thread(hub.terminate)
    assert "could not be committed; they were not acked" in hub.log


async def test_a_database_that_is_cut_off_in_mid_commit_doubles_nothing(
    postgres_hub: Hub, postgres: Postgres
) -> None:
    """Its connections are ended by force, again and again; frames carry no time."""
    hub = postgres_hub
    async with device(hub.url, hub.store.add_device("cut")) as cut:
        await cut.hello()
        for n in range(20):
            frames = [{"seq": i, "values": {"n": i}} for i in range(10 * n + 1, 10 * n + 11)]
            brought = asyncio.create_task(cut.bring(*frames))
            await asyncio.to_thread(
                hub.store.rows,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            )
            await brought
    assert hub.store.values_of("cut") == [float(n) for n in range(1, 201)]


async def is_acked(steady: Device, seqs: range) -> None:
    for seq in seqs:
        assert (await steady.ask(frame(seq)))["seq"] == seq


async def test_no_device_notices_that_redis_comes_and_goes(
    store: Store, own_redis: Redis, folder: Path
) -> None:
    options = {"WEIR_RELAY_INTERVAL_S": 0.1}
    own_redis.stop()
    with Hub(store, folder, redis_url=own_redis.url, options=options) as hub:
        async with device(hub.url, store.add_device("steady")) as steady:
            await steady.hello()
            await is_acked(steady, range(1, 6))
            await asyncio.to_thread(own_redis.start)
            await until(lambda: hub.figures()["weir_relay_summaries_total"], "Redis is used")
            await is_acked(steady, range(6, 11))

            await asyncio.to_thread(own_redis.stop)
            dropped = hub.figures()["weir_relay_dropped_total"]
            await is_acked(steady, range(11, 21))
            await until(
                lambda: hub.figures()["weir_relay_dropped_total"] > dropped,
                "summaries that cannot be sent are counted",
            )
            await is_acked(steady, range(21, 31))
            assert hub.ask("/readyz").status == 200
            async with device(hub.url, store.add_device("new")) as new:
                assert (await new.ask({"n": 1}))["seq"] == 1

            await asyncio.to_thread(own_redis.start)
            told = hub.figures()["weir_relay_summaries_total"]
            await until(
                lambda: hub.figures()["weir_relay_summaries_total"] > told, "Redis is used again"
            )
            await is_acked(steady, range(31, 41))
        assert "Traceback" not in hub.log
    assert store.values_of("steady") == [float(n) for n in range(1, 41)]


def post(hub: Hub, token: str, body: str) -> Answer:
    return hub.ask("/ingest/", body, headers={"Authorization": f"Bearer {token}"})


def test_while_the_database_is_held_a_frame_waits_and_the_next_is_told_to_come_again(
    sqlite_store: Store, folder: Path
) -> None:
    token = sqlite_store.add_device("poster")
    options = {"WEIR_BUFFER_READINGS": 1}
    path = sqlite_store.url.removeprefix("sqlite:///")
    with (
        Hub(sqlite_store, folder, options=options) as hub,
        ThreadPoolExecutor() as pool,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        waiting = pool.submit(post, hub, token, '{"first":1}')
        wait_until(lambda: hub.figures()["weir_frames_in_flight"] == 1, "the frame is taken")
        refused = post(hub, token, '{"second":1}')
        assert (refused.status, refused.json["code"]) == (429, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert hub.figures()['weir_bounds_met_total{bound="buffer"}'] == 1
        late = waiting.result()
        assert (late.status, late.json["code"]) == (503, "unavailable")
        assert int(late.headers["Retry-After"]) >= 1
        wait_until(lambda: hub.ask("/readyz").status == 503, "the hub is not ready")
        assert hub.ask("/readyz").json["database"] == "ok"
        other.execute("ROLLBACK")
        wait_until(lambda: sqlite_store.readings() == 1, "what was taken is stored")
        wait_until(lambda: post(hub, token, '{"third":1}').status == 200, "frames are taken again")
        wait_until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")


@pytest.mark.parametrize("frames", [1, 300])
async def test_a_plain_device_that_leaves_while_it_is_not_read_is_noticed(
    sqlite_store: Store, folder: Path, frames: int
) -> None:
    """Also where what it sent is more than the hub reads of a socket that waits."""
    options = {"WEIR_BUFFER_READINGS": 1, "WEIR_PING_S": 1}
    path = sqlite_store.url.removeprefix("sqlite:///")
    first_token, token = map(sqlite_store.add_device, ("first", "leaver"))
    with (
        Hub(sqlite_store, folder, options=options) as hub,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        async with device(hub.url, first_token) as first:
            await first.say({"n": 1})
            await until(lambda: hub.figures()["weir_frames_in_flight"] == 1, "the hub is full")
            leaver = await asyncio.to_thread(RawSocket.open, hub.port, headers=bearer(token))
            with leaver:
                leaver.send(said({"gone": 1, "pad": "x" * 100}) * frames)
                await until(lambda: hub.figures()["weir_plain_waiting"] == 1, "it is not read")
                assert hub.figures()["weir_devices_connected"] == 2
            await until(lambda: hub.figures()["weir_devices_connected"] == 1, "it has left")
            assert hub.figures()["weir_plain_waiting"] == 0
            other.execute("ROLLBACK")
            assert (await first.hear_acks_through(1))["stored"] == 1
    assert sqlite_store.values_of("leaver") == []
