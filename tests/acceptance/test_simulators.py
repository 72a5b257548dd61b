"""The simulators against a real hub, each a program of its own, on SQLite."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hubs import Hub, Store, wait_until
from tests.programs import Simulators


@pytest.fixture
def hub(sqlite_store: Store, folder: Path) -> Iterator[Hub]:
    with Hub(sqlite_store, folder) as hub:
        yield hub


@pytest.fixture
def tokens(hub: Hub, folder: Path) -> Path:
    return hub.store.write_tokens(folder / "tokens", [f"sim-0000{n}" for n in range(1, 5)])


def test_what_a_run_was_told_is_stored_is_stored(hub: Hub, tokens: Path) -> None:
    arguments = ("--rate", "50", "--samples", "5", "--duration", "2s")
    result = Simulators(hub, tokens, "run", *arguments).result()
    assert result["stored"] == result["sent"] == 4 * 100 * 15
    assert hub.store.readings() == result["stored"]


def test_columns_as_fast_as_the_window_allows_lose_nothing(hub: Hub, tokens: Path) -> None:
    arguments = ("--rate", "max", "--samples", "300", "--form", "columns", "--duration", "1s")
    result = Simulators(hub, tokens, "run", *arguments).result()
    assert result["stored"] == result["sent"] == hub.store.readings()


def test_a_second_replay_stores_nothing(hub: Hub, tokens: Path, folder: Path) -> None:
    recording = folder / "recording.csv"
    lines = [f"2024-05-01T00:{i // 60:02d}:{i % 60:02d}.125Z,{i}.5" for i in range(900)]
    recording.write_text("when,level\n" + "\n".join([*lines, lines[-1].replace(".5", ".75")]))
    arguments = (
        *(str(recording), "--format", "csv"),
        *("--time-column", "when", "--value-columns", "level"),
    )
    first = Simulators(hub, tokens, "replay", *arguments).result()
    second = Simulators(hub, tokens, "replay", *arguments, "--form", "columns").result()
    assert (first["stored"], first["errors"]) == (900, {"conflict": 1})
    assert (second["stored"], second["duplicate"], second["rejected"]) == (0, 900, 1)
    assert hub.store.readings() == 900


def test_ctrl_c_waits_for_the_last_acks_and_tells_the_result(hub: Hub, tokens: Path) -> None:
    simulators = Simulators(hub, tokens, "run", "--rate", "50", "--duration", "forever")
    wait_until(lambda: hub.store.readings() > 0, "readings arrive")
    simulators.send(signal.SIGINT)
    result = simulators.result()
    assert result["unacked"] == 0
    assert result["stored"] == result["sent"] == hub.store.readings()


def test_a_second_ctrl_c_waits_for_nothing(hub: Hub, tokens: Path) -> None:
    simulators = Simulators(hub, tokens, "run", "--rate", "50", "--duration", "forever")
    wait_until(lambda: hub.store.readings() > 0, "readings arrive")
    hub.send(signal.SIGSTOP)
    try:
        simulators.send(signal.SIGINT)
        # Two signals at once may be delivered as one: the second comes until it is heard.
        wait_until(lambda: _ended(simulators), "the simulators end")
    finally:
        hub.send(signal.SIGCONT)
    assert simulators.end()[0] == 130


def _ended(simulators: Simulators) -> bool:
    simulators.send(signal.SIGINT)
    return not simulators.runs


def test_a_wrong_token_is_one_sentence(hub: Hub, tokens: Path) -> None:
    tokens.write_text('{"uid":"sim-00001","token":"wrong"}\n')
    status, out, err = Simulators(hub, tokens, "run").end()
    assert (status, out) == (1, "")
    assert "Device sim-00001" in err
    assert "4401" in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in hub.log
