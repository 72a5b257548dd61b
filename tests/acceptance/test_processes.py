"""Several hubs of one `runhub --processes`, on PostgreSQL: watched over, and ended together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.devices import REPLACED, device, frame
from tests.hubs import Hub, Hubs, Store, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled

STOP_TIMEOUT_S = 4


@pytest.fixture(scope="module")
def postgres(new_store: Callable[[str], Store]) -> Store:
    return new_store("postgresql")


@pytest.fixture(scope="module")
def hubs(postgres: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hubs]:
    folder = tmp_path_factory.mktemp("hubs")
    with Hubs(postgres, folder, 2, options={"WEIR_STOP_TIMEOUT_S": STOP_TIMEOUT_S}) as hubs:
        yield hubs
        assert "Traceback" not in hubs.log


def test_each_is_asked_for_its_own_figures(hubs: Hubs) -> None:
    token = hubs.store.add_device("once")
    one, two = hubs.each
    answer = two.ask("/ingest/", '{"x": 1}', headers={"Authorization": f"Bearer {token}"})
    assert answer.json["stored"] == 1
    assert one.figures()["weir_readings_taken_total"] == 0
    assert two.figures()["weir_readings_taken_total"] == 1


def test_together_they_commit_as_often_as_one(hubs: Hubs) -> None:
    assert hubs.log.count("WEIR_FLUSH_INTERVAL_S is 0.04 in each") == 1
    given = Path(f"/proc/{hubs.pid_of(hubs.port)}/environ").read_text()
    assert "WEIR_FLUSH_INTERVAL_S=0.04\0" in given


def test_without_redis_it_is_said_what_that_means(hubs: Hubs) -> None:
    assert hubs.log.count("REDIS_URL is not set") == 1


async def test_a_stream_is_taken_over_from_one_to_the_other(hubs: Hubs) -> None:
    one, two = hubs.each
    token = hubs.store.add_device("moves")
    async with device(one.url, token) as older, device(two.url, token) as newer:
        await older.hello("boot")
        assert (await older.ask(frame(1)))["seq"] == 1
        assert (await newer.hello("boot", 2))["resume"]["committed"] == 1
        await older.say(frame(2, 200))
        assert await older.hear_last_word() == (REPLACED, 4409)
        assert (await newer.ask(frame(2)))["stored"] == 1
    assert hubs.store.values_of("moves") == [1.0, 2.0]


async def test_one_that_was_killed_is_started_again_and_the_other_notices_nothing(
    hubs: Hubs,
) -> None:
    one, two = hubs.each
    before, beside = hubs.pid_of(one.port), hubs.pid_of(two.port)
    async with device(two.url, hubs.store.add_device("beside")) as neighbour:
        await neighbour.hello()
        assert (await neighbour.ask(frame(1)))["seq"] == 1
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: hubs.pid_of(one.port) != before, "it is started again")
        wait_until(lambda: answers(one), "it answers")
        assert (await neighbour.ask(frame(2)))["seq"] == 2
    assert f"hub on port {one.port}: it was ended by SIGKILL; it is started again" in hubs.log
    assert hubs.pid_of(two.port) == beside


def test_one_that_was_told_to_end_takes_leave_and_is_started_again(hubs: Hubs) -> None:
    """So all of them can be restarted, one after the other, while devices are served."""
    _, two = hubs.each
    before = hubs.pid_of(two.port)
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: hubs.pid_of(two.port) != before and answers(two), "it answers again")
    assert f"hub on port {two.port}: it ended with status 0; it is started again" in hubs.log


def test_all_commit_what_they_took_and_end_in_time(postgres: Store, folder: Path) -> None:
    with Hubs(postgres, folder, 2, options={"WEIR_STOP_TIMEOUT_S": STOP_TIMEOUT_S}) as hubs:
        ledgers = [folder / f"ledger-{n}" for n in range(2)]
        flood = ("--rate", "max", "--samples", "20", "--duration", "60s", "--drain", "0s")
        fleets = [
            Simulators(
                *(hub, postgres.write_tokens(folder / f"tokens-{n}", [f"flood-{n}"]), "run"),
                *(*flood, "--ledger", str(ledgers[n])),
            )
            for n, hub in enumerate(hubs.each)
        ]
        with fleets[0], fleets[1]:
            enough = "SELECT count(*) FROM ingest_stream s WHERE s.committed > 50"
            wait_until(lambda: postgres.number(enough) >= 2, "both hubs store")
            began_s = time.monotonic()
            assert hubs.terminate() == 0
            assert time.monotonic() - began_s < STOP_TIMEOUT_S + 20
            for fleet in fleets:
                fleet.send(signal.SIGINT)
                fleet.end()
        report = reconciled(postgres, *ledgers)
    assert differences(report) == ZEROS, report["examples"]
    assert report["acked"] > 0
    assert "killed" not in hubs.log
    assert "Traceback" not in hubs.log


def test_who_watches_them_may_be_killed_and_none_is_left_behind(
    postgres: Store, folder: Path
) -> None:
    with Hubs(postgres, folder, 2) as hubs:
        pids = [hubs.pid_of(port) for port in hubs.ports]
        hubs.kill()
        wait_until(lambda: not any(map(lives, pids)), "the hubs end, too")
    assert hubs.log.count("stopping: what is taken is committed and acked first") == 2


def answers(hub: Hub) -> bool:
    with suppress(OSError):
        return hub.ask("/healthz").status == 200
    return False


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
