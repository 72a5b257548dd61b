"""A hub killed, or told to end, in mid-stream: what it acked is stored, and nothing twice."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled

KILLS = 3
DEVICES = [f"sim-{n}" for n in range(6)]
# Sealing is always at work: a minute is sealed as soon as it has closed.
OPTIONS = {"WEIR_SEAL_GRACE_S": 0, "WEIR_SEAL_SLICE_READINGS": 2_000}


@pytest.fixture
def hub(store: Store, folder: Path) -> Iterator[Hub]:
    with Hub(store, folder, options=OPTIONS) as hub:
        yield hub


def write_recording(path: Path, rows: int) -> Path:
    """Two readings a second of a day long ago, so all are late; some times have a second value."""
    rng = random.Random(11)
    lines = ["ms,level,flow"]
    for n in range(rows):
        again = n - 1 if rng.random() < 0.01 and n else n
        lines.append(f"{1_600_000_000_000 + again * 1_000},{rng.gauss(20, 5):.3f},{n % 7}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_hub_killed_several_times_loses_nothing_and_doubles_nothing(
    hub: Hub, folder: Path
) -> None:
    rng = random.Random(1)
    live, old = folder / "live.ledger", folder / "old.ledger"
    patient = ("--wait", "60s", "--drain", "60s")
    run = ("--rate", "40", "--samples", "5", "--duration", "5s", "--state")
    replay = ("--format", "csv", "--time-column", "ms", "--time-format", "ms", "--samples", "10")
    recording = write_recording(folder / "old.csv", 10_000)
    with ExitStack() as stack:
        fleet = stack.enter_context(
            Simulators(
                *(hub, hub.store.write_tokens(folder / "live", DEVICES)),
                *("run", *run, *patient, "--ledger", str(live)),
            )
        )
        archive = stack.enter_context(
            Simulators(
                *(hub, hub.store.write_tokens(folder / "old", ["archive"])),
                *("replay", str(recording), *replay, "--value-columns", "level,flow"),
                *("--ledger", str(old), *patient),
            )
        )
        for _ in range(KILLS):
            wait_for_more(hub.store, rng.randrange(100, 2_500))
            assert fleet.runs or archive.runs
            hub.kill()
            hub.start()
        results = [fleet.result(), archive.result()]
    assert sum(result["reconnects"] for result in results) >= KILLS
    for result in results:
        assert (result["unacked"], result["dropped"]) == (0, 0)
    assert results[0]["stored"] == results[0]["sent"]
    report = reconciled(hub.store, live, old)
    assert differences(report) == ZEROS, report["examples"]
    assert report["attempted"] == sum(result["sent"] for result in results)
    assert "Traceback" not in hub.log


def test_a_hub_told_to_end_in_a_flood_commits_and_acks_all_it_took(hub: Hub, folder: Path) -> None:
    tokens, ledger = hub.store.write_tokens(folder / "tokens", DEVICES), folder / "ledger"
    flood = ("--rate", "max", "--samples", "50", "--duration", "60s", "--drain", "0s")
    with Simulators(hub, tokens, "run", *flood, "--ledger", str(ledger)) as fleet:
        wait_until(lambda: hub.store.readings() > 20_000, "readings arrive")
        assert hub.terminate() == 0
        fleet.send(signal.SIGINT)
        fleet.end()
    report = reconciled(hub.store, ledger)
    assert differences(report) == ZEROS, report["examples"]
    assert report["acked"] == hub.store.readings()
    assert "Traceback" not in hub.log
    assert " ERROR " not in hub.log


async def test_frames_that_wait_for_the_writer_are_committed_and_acked_at_the_end(
    store: Store, folder: Path
) -> None:
    """They would wait ten seconds for a flush; the end does not."""
    with Hub(store, folder, options={"WEIR_FLUSH_INTERVAL_S": 10}) as hub:
        async with device(hub.url, store.add_device("busy")) as busy:
            await busy.hello()
            acks = asyncio.create_task(last_ack(busy))
            await busy.say(*(frame(seq) for seq in range(1, 31)))
            posts = [
                asyncio.create_task(asyncio.to_thread(post, hub, store.add_device("poster"), n))
                for n in range(4)
            ]
            in_flight = "weir_frames_in_flight"
            await asyncio.to_thread(
                wait_until, lambda: hub.figures()[in_flight] == 34, "all frames are taken"
            )
            status = await asyncio.to_thread(hub.terminate)
            assert await acks == 30
            assert await asyncio.gather(*posts) == [1, 1, 1, 1]
    assert status == 0
    assert store.readings() == 34
    assert store.rows("SELECT committed, stored FROM ingest_stream") == [(30, 30)]
    assert "Traceback" not in hub.log


def test_a_hub_told_to_end_while_nobody_is_connected_ends_and_starts_again(hub: Hub) -> None:
    assert hub.terminate() == 0
    assert "Traceback" not in hub.log
    hub.start()
    assert hub.ask("/readyz").status == 200


def test_a_hub_told_to_end_does_not_stumble_over_half_open_connections(hub: Hub) -> None:
    with (
        socket.create_connection(("127.0.0.1", hub.port)) as silent,
        socket.create_connection(("127.0.0.1", hub.port)) as half,
    ):
        half.sendall(b"GET /ws/ingest/ HTTP/1.1\r\nHost: x\r\nUpgrade: webs")
        assert hub.ask("/healthz").status == 200
        assert hub.terminate() == 0
        assert silent.recv(1) == b""
    assert "Traceback" not in hub.log


def wait_for_more(store: Store, readings: int) -> None:
    enough = store.readings() + readings
    wait_until(lambda: store.readings() >= enough, "readings arrive")


def post(hub: Hub, token: str, n: int) -> int:
    """How much of a frame with one reading was stored."""
    headers = {"Authorization": f"Bearer {token}"}
    stored: int = hub.ask("/ingest/", f'{{"n":{n}}}', headers=headers).json["stored"]
    return stored


async def last_ack(busy: Device) -> int:
    """The number of the last frame acked before the connection ended."""
    acked = 0
    try:
        while True:
            heard = json.loads(await busy.connection.recv())
            if heard["type"] == "ack":
                acked = heard["seq"]
    except ConnectionClosed:
        return acked
