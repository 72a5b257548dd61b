"""A machine whose clock jumps or starts in 1970: nobody is closed, nothing true is refused.

The hub's clock is libfaketime's, which reads it from a file once a second (Debian's `libfaketime`);
these tests are left out where it is missing. The devices and the database live in the real time.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.devices import Device, device
from tests.hubs import DEADLINE_S, Hub, Store, manage, wait_until

FOUND = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))

pytestmark = pytest.mark.skipif(not FOUND, reason="libfaketime is not installed")

HOUR_S = 3_600


class HubsClock:
    """What the hub's machine takes the time for, as an offset to the real one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set_by(0)

    def set_by(self, seconds: float) -> None:
        part = self.path.with_suffix(".new")
        part.write_text(f"{seconds:+.0f}\n")
        part.replace(self.path)  # it is read at any moment

    def set_to_1970(self) -> None:
        self.set_by(600 - time.time())

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(FOUND[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            # Read anew each second. To read it for each look at the clock costs a hub seconds of
            # its start, and devices their patience.
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


@pytest.fixture
def clock(folder: Path) -> HubsClock:
    return HubsClock(folder / "clock")


@pytest.fixture
def hub(store: Store, folder: Path, clock: HubsClock) -> Iterator[Hub]:
    """Not started yet."""
    hub = Hub(store, folder, options={"WEIR_REVOCATION_INTERVAL_S": 0.1})
    hub.environment |= clock.environment
    yield hub
    hub.kill()
    assert "Traceback" not in hub.log


async def until(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, true, what)


def is_ready(hub: Hub) -> bool:
    return hub.ask("/readyz").status == 200


def waits_for_the_clock(hub: Hub) -> bool:
    """As it says of itself, to whoever asks it in whatever way."""
    answer = hub.ask("/readyz")
    behind = answer.status == 503 and answer.json["clock"].startswith("is behind")
    return behind and hub.figures()["weir_clock_behind_seconds"] > 60


def now_frame(seq: int | None = None) -> dict[str, Any]:
    """A frame taken just now, by the true time."""
    taken = {"readings": [{"ts": round(time.time() * 1_000), "values": {"n": 1}}]}
    return taken if seq is None else {"seq": seq, **taken}


async def hear_time_past(hub: Hub, at_s: float) -> None:
    """Wait until the hub tells a device a time later than `at_s`, in Unix seconds."""
    token = hub.store.add_device("asks the time")
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with device(hub.url, token) as asking:
                if (await asking.hello())["time"] > at_s * 1_000:
                    return


async def hear_type(talker: Device, kind: str) -> dict[str, Any]:
    heard = await talker.hear()
    assert heard["type"] == kind, heard
    return heard


async def is_stored(talker: Device) -> None:
    ack = await hear_type(talker, "ack")
    assert (ack["stored"], ack["rejected"]) == (1, 0), ack


async def test_a_board_that_starts_in_1970_takes_nothing_until_its_clock_is_right(
    hub: Hub, clock: HubsClock
) -> None:
    store = hub.store
    token = store.add_device("reliable")
    plain_token, poster_token = store.add_device("plain"), store.add_device("poster")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    timed_token = store.add_device("timed", not_before=yesterday)
    hub.start()
    async with device(hub.url, token) as early:
        await early.hello("boot")
        await early.say(now_frame(1))
        await is_stored(early)
    assert hub.terminate() == 0

    clock.set_to_1970()
    hub.start()
    await until(lambda: waits_for_the_clock(hub), "it knows that its clock is wrong")
    async with (
        device(hub.url, token) as reliable,
        device(hub.url, plain_token) as plain,
        device(hub.url, timed_token) as timed,
    ):
        error, code = await timed.hear_last_word()
        assert (error["code"], code) == ("unavailable", 4503)
        welcome = await reliable.hello("boot", 2)
        assert welcome["limits"]["in_flight"] == 0
        assert abs(welcome["time"] / 1_000 - time.time()) < HOUR_S
        await reliable.say(now_frame(2))
        nack = await hear_type(reliable, "nack")
        assert (nack["code"], nack["seq"]) == ("busy", 2)
        await plain.say(now_frame(), {"untimed": 1})
        await until(lambda: hub.figures()["weir_plain_waiting"] == 1, "it is not read")
        headers = {"Authorization": f"Bearer {poster_token}"}
        body = json.dumps(now_frame())
        answer = await asyncio.to_thread(hub.ask, "/ingest/", body, headers=headers)
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        assert store.readings() == 1

        clock.set_by(0)
        assert await reliable.hear_window() == 32
        await reliable.say(now_frame(2))
        await is_stored(reliable)
        assert (await plain.hear_acks_through(2))["stored"] == 2
    await until(lambda: is_ready(hub), "it is ready")
    async with device(hub.url, timed_token) as timed:
        await timed.say(now_frame())
        await is_stored(timed)
    assert times_of(store, "untimed") > time.time() - HOUR_S


def times_of(store: Store, metric: str) -> float:
    """When the only reading of a metric was, in Unix seconds."""
    column = "r.time / 1e6" if store.is_sqlite else "extract(epoch FROM r.time)::float8"
    query = (
        f"SELECT {column} FROM ingest_reading r JOIN devices_series s ON s.id = r.series_id"
        " WHERE s.metric = %s"
    )
    [(at_s,)] = store.rows(query, metric)
    return float(at_s)


async def test_a_clock_that_is_set_back_by_an_hour_closes_nobody(
    hub: Hub, clock: HubsClock
) -> None:
    half_an_hour_ago = datetime.now(UTC) - timedelta(minutes=30)
    token = hub.store.add_device("timed", not_before=half_an_hour_ago)
    hub.start()
    async with device(hub.url, token) as timed:
        await timed.hello("boot")
        await timed.say(now_frame(1))
        await is_stored(timed)

        clock.set_by(-HOUR_S)
        assert await timed.hear_window() == 0
        await until(lambda: waits_for_the_clock(hub), "it says so")
        await timed.say(now_frame(2))
        assert (await hear_type(timed, "nack"))["code"] == "busy"

        clock.set_by(0)
        assert await timed.hear_window() == 32
        await timed.say(now_frame(2))
        await is_stored(timed)
    await until(lambda: is_ready(hub), "it is ready")
    assert hub.log.count("behind the newest commit") == 1


async def test_after_a_day_in_the_future_an_operator_says_which_clock_is_right(
    hub: Hub, clock: HubsClock
) -> None:
    token = hub.store.add_device("steady")
    hub.start()
    async with device(hub.url, token) as steady:
        await steady.hello("boot")
        await steady.say(now_frame(1))
        await is_stored(steady)

        clock.set_by(25 * HOUR_S)
        await hear_time_past(hub, time.time() + 24 * HOUR_S)
        for seq in (2, 3):  # late by that clock, which is no reason to refuse them
            await steady.say(now_frame(seq))
            await is_stored(steady)

        clock.set_by(0)
        assert await steady.hear_window() == 0
        await until(lambda: waits_for_the_clock(hub), "it says so")
        assert "manage.py trustclock" in hub.log
        await asyncio.to_thread(manage, hub.store.url, "trustclock", "--no-input")
        assert await steady.hear_window() == 32
        await steady.say(now_frame(4))
        await is_stored(steady)
    await until(lambda: is_ready(hub), "it is ready")
    assert hub.terminate() == 0
    hub.start()
    await until(lambda: is_ready(hub), "it is ready at once when it starts again")
