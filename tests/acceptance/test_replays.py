"""Readings recorded by real sensors, replayed: each is stored with its own time, exactly once.

What is to be stored is worked out here from the files, by other code than the simulators'.
"""

from __future__ import annotations

import csv
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.acceptance.conftest import ENGINES
from tests.hubs import Hub, Store, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled
from tests.recorded import recordings_folder

Readings = dict[tuple[str, str, int], list[float]]
"""All values recorded, in order, by device, metric and time in microseconds."""

ROOM_METRICS = {
    4: "temperature",
    5: "humidity",
    6: "light_1",
    7: "light_2",
    8: "occupants",
    9: "activity",
    10: "door",
    11: "window",
}
OFFICE_METRICS = ["temperature", "humidity", "light", "co2", "humidity_ratio", "occupancy"]


def rooms(rows: list[list[str]], readings: Readings) -> None:
    for row in rows:
        for column, metric in ROOM_METRICS.items():
            key = (f"room-{row[3].strip()}", metric, int(row[1]) * 1_000)
            readings.setdefault(key, []).append(float(row[column]))


def office(rows: list[list[str]], readings: Readings) -> None:
    for row in rows[1:]:
        for metric, value in zip(OFFICE_METRICS, row[2:], strict=True):
            readings.setdefault(("office", metric, utc_us(row[1])), []).append(float(value))


def machine(rows: list[list[str]], readings: Readings) -> None:
    for when, value in rows[1:]:
        readings.setdefault(("machine", "temperature", utc_us(when)), []).append(float(value))


def utc_us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


class Recording(NamedTuple):
    """Files of one kind, how the simulators are told of them, and how they are read here."""

    files: list[str]
    options: list[str]
    uids: list[str]
    read: Callable[[list[list[str]], Readings], None]


ROOMS = Recording(
    ["room_climate_a01.csv", "room_climate_a02.csv", "room_climate_a06.csv"],
    ["--format", "room-climate", "--device-prefix", "room-"],
    [f"room-{node}" for node in range(1, 5)],
    rooms,
)
OFFICE = Recording(
    ["occupancy.csv"],
    ["--format", "occupancy", "--device", "office", "--form", "columns"],
    ["office"],
    office,
)
MACHINE = Recording(
    ["machine_temperature.csv"],
    ["--format", "machine-temperature", "--device", "machine"],
    ["machine"],
    machine,
)
RECORDINGS = {"rooms": ROOMS, "office": OFFICE, "machine": MACHINE}


@pytest.fixture(scope="module")
def recorded() -> Path:
    """The folder of the recordings, which are not part of the project."""
    folder = recordings_folder()
    missing = [n for r in RECORDINGS.values() for n in r.files if not (folder / n).is_file()]
    if missing:
        pytest.skip(f"no {missing[0]} in {folder}: WEIR_TEST_DATA names the folder of recordings")
    return folder


class Replayed(NamedTuple):
    """A hub that has taken all recordings twice, and what was seen on the way."""

    hub: Hub
    wanted: dict[str, Readings]
    first: dict[str, dict[str, Any]]
    second: dict[str, dict[str, Any]]
    rollups: list[tuple[Any, ...]]
    readings: int
    ledgers: list[Path]


@pytest.fixture(scope="module", params=ENGINES)
def replayed(
    request: pytest.FixtureRequest,
    recorded: Path,
    new_store: Callable[[str], Store],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Replayed]:
    folder = tmp_path_factory.mktemp("hub")
    with Hub(new_store(request.param), folder, options={"WEIR_SEAL_GRACE_S": 0}) as hub:
        ledgers = [folder / f"{name}-{n}.ledger" for n in (1, 2) for name in RECORDINGS]
        tokens = {
            name: hub.store.write_tokens(folder / name, recording.uids)
            for name, recording in RECORDINGS.items()
        }
        first = replay(hub, recorded, tokens, ledgers[:3])
        wait_for_sealing(hub.store)
        rollups, readings = rollups_of(hub.store), hub.store.readings()
        second = replay(hub, recorded, tokens, ledgers[3:])
        wanted = {name: read(recorded, recording) for name, recording in RECORDINGS.items()}
        yield Replayed(hub, wanted, first, second, rollups, readings, ledgers)
        assert "Traceback" not in hub.log


def replay(
    hub: Hub, recorded: Path, tokens: dict[str, Path], ledgers: list[Path]
) -> dict[str, dict[str, Any]]:
    """Replay all recordings, at once, as fast as the hub lets it."""
    running = {}
    with ExitStack() as stack:
        for (name, recording), ledger in zip(RECORDINGS.items(), ledgers, strict=True):
            files = [str(recorded / file) for file in recording.files]
            arguments = [*files, *recording.options, "--speed", "max", "--ledger", str(ledger)]
            simulators = Simulators(hub, tokens[name], "replay", *arguments)
            running[name] = stack.enter_context(simulators)
        return {name: simulators.result() for name, simulators in running.items()}


def read(recorded: Path, recording: Recording) -> Readings:
    readings: Readings = {}
    for name in recording.files:
        with (recorded / name).open(newline="") as lines:
            recording.read(list(csv.reader(lines, skipinitialspace=True)), readings)
    return readings


def wait_for_sealing(store: Store) -> None:
    """Until the watermark has passed the minute that this begins in."""
    if store.is_sqlite:
        wait_until(lambda: not store.rows("SELECT 1 FROM ingest_recent LIMIT 1"), "all is sealed")
        column, value = "sealing_from", (time.time_ns() // 1_000 // 60_000_000) * 60_000_000
    else:
        column, value = "extract(epoch FROM sealing_from)", int(time.time() // 60) * 60
    wait_until(
        lambda: store.rows(f"SELECT {column} FROM ingest_linestate")[0][0] >= value,
        "the watermark has passed the recordings",
    )


def rollups_of(store: Store) -> list[tuple[Any, ...]]:
    return store.rows("SELECT * FROM ingest_rollup ORDER BY series_id, step_s, start")


def stored_by(store: Store, uids: list[str]) -> dict[tuple[str, str, int], float]:
    time_us = "r.time" if store.is_sqlite else "round(extract(epoch FROM r.time) * 1000000)::bigint"
    rows = store.rows(
        f"SELECT d.uid, s.metric, {time_us}, r.value FROM ingest_reading r"
        " JOIN devices_series s ON s.id = r.series_id JOIN devices_device d ON d.id = s.device_id"
    )
    return {(uid, metric, at_us): value for uid, metric, at_us, value in rows if uid in uids}


def conflicts_in(wanted: Readings) -> int:
    return sum(value != values[0] for values in wanted.values() for value in values[1:])


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_sample_is_stored_with_its_own_time_and_first_value(
    replayed: Replayed, name: str
) -> None:
    wanted = {key: values[0] for key, values in replayed.wanted[name].items()}
    assert stored_by(replayed.hub.store, RECORDINGS[name].uids) == wanted


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_was_acked_is_what_the_file_holds(replayed: Replayed, name: str) -> None:
    wanted, result = replayed.wanted[name], replayed.first[name]
    sent, conflicts = sum(map(len, wanted.values())), conflicts_in(wanted)
    assert result["sent"] == result["acked"] == sent
    assert (result["stored"], result["rejected"]) == (len(wanted), conflicts)
    assert result["duplicate"] == sent - len(wanted) - conflicts
    assert result["errors"] == ({"conflict": conflicts} if conflicts else {})


def test_the_machines_doubled_times_are_its_conflicts_by_name(replayed: Replayed) -> None:
    doubled = {k: v for k, v in replayed.wanted["machine"].items() if len(v) > 1}
    assert len(doubled) == 12
    wanted = Counter(
        f"{value!r}" for values in doubled.values() for value in values[1:] if value != values[0]
    )
    assert wanted.total() == replayed.first["machine"]["rejected"] > 0
    rows = replayed.hub.store.rows(
        "SELECT metric, code, value FROM ingest_refusedreading WHERE device_id = %s ORDER BY id",
        replayed.hub.store.device_id("machine"),
    )
    first = rows[: wanted.total()]
    assert {(metric, code) for metric, code, _ in rows} == {("temperature", "conflict")}
    assert Counter(value for _, _, value in first) == wanted


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_second_replay_stores_nothing(replayed: Replayed, name: str) -> None:
    wanted, result = replayed.wanted[name], replayed.second[name]
    sent, conflicts = sum(map(len, wanted.values())), conflicts_in(wanted)
    counts = (result["stored"], result["duplicate"], result["rejected"])
    assert counts == (0, sent - conflicts, conflicts)


def test_a_second_replay_changes_no_rollup(replayed: Replayed) -> None:
    assert len(replayed.rollups) > 10_000
    assert rollups_of(replayed.hub.store) == replayed.rollups
    assert replayed.hub.store.readings() == replayed.readings


def test_the_ledgers_reconcile_to_zero(replayed: Replayed) -> None:
    report = reconciled(replayed.hub.store, *replayed.ledgers)
    assert differences(report) == ZEROS, report["examples"]
    results = [*replayed.first.values(), *replayed.second.values()]
    assert report["attempted"] == sum(result["sent"] for result in results)
