"""The simulators against a real hub, each a program of its own, on SQLite."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import free_port

ROOT = Path(__file__).resolve().parents[2]

DEADLINE_S = 60.0
"""For anything to become true: some seconds on an idle machine."""


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline_s, f"waited {DEADLINE_S} s in vain: {what}"
        time.sleep(0.02)


class Hub:
    """One hub process on a database of the test's own; stays on its port when started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tokens = folder / "tokens"
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/ws/ingest/"
        self._process: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"DATABASE_URL": f"sqlite:///{self.folder / 'weir.sqlite3'}"}

    def start(self) -> None:
        with (self.folder / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.manage("runhub", "--port", str(self.port)),
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        wait_until(self._listens, "the hub listens")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text()

    def readings(self) -> int:
        with sqlite3.connect(self.folder / "weir.sqlite3") as database:
            count: int = database.execute("SELECT count(*) FROM ingest_reading").fetchone()[0]
        return count


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a migrated database and the tokens of its four devices."""
    hub = Hub(tmp_path_factory.mktemp("made"))
    for command in (
        hub.manage("migrate", "--verbosity", "0"),
        hub.manage("makefleet", "4", "--tokens", str(hub.tokens)),
    ):
        subprocess.run(command, env=hub.environment, check=True, capture_output=True)
    return hub.folder


@pytest.fixture
def hub(tmp_path: Path, made: Path) -> Iterator[Hub]:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    hub = Hub(tmp_path)
    hub.start()
    try:
        yield hub
    finally:
        hub.kill()


class Simulators:
    """`python -m simulators` as a person starts it."""

    def __init__(self, hub: Hub, command: str, *arguments: str) -> None:
        given = ["--url", hub.url, "--tokens", str(hub.tokens), "--json", *arguments]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulators", command, *given],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        out, err = self._process.communicate(timeout=DEADLINE_S)
        return self._process.returncode, out, err

    def result(self) -> dict[str, Any]:
        """Wait for the end; it must have been a good one."""
        status, out, err = self.end()
        assert status == 0, err
        result: dict[str, Any] = json.loads(out)
        return result


def test_what_a_run_was_told_is_stored_is_stored(hub: Hub) -> None:
    arguments = ("--rate", "50", "--samples", "5", "--duration", "2s")
    result = Simulators(hub, "run", *arguments).result()
    assert result["stored"] == result["sent"] == 4 * 100 * 15
    assert hub.readings() == result["stored"]


def test_columns_as_fast_as_the_window_allows_lose_nothing(hub: Hub) -> None:
    arguments = ("--rate", "max", "--samples", "300", "--form", "columns", "--duration", "1s")
    result = Simulators(hub, "run", *arguments).result()
    assert result["stored"] == result["sent"] == hub.readings()


def test_a_hub_killed_in_mid_stream_costs_nothing(hub: Hub, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    arguments = ("--rate", "50", "--duration", "4s", "--drain", "60s", "--ledger", str(ledger))
    simulators = Simulators(hub, "run", *arguments)
    wait_until(lambda: hub.readings() > 300, "readings arrive")
    hub.kill()
    hub.start()
    result = simulators.result()
    assert result["reconnects"] >= 4
    assert (result["stored"], result["duplicate"], result["rejected"]) == (2400, 0, 0)
    assert hub.readings() == 2400
    frames = [line for line in ledger.read_text().splitlines() if line.startswith('{"frame"')]
    assert len(frames) == 800


def test_a_second_replay_stores_nothing(hub: Hub, tmp_path: Path) -> None:
    recording = tmp_path / "recording.csv"
    lines = [f"2024-05-01T00:{i // 60:02d}:{i % 60:02d}.125Z,{i}.5" for i in range(900)]
    recording.write_text("when,level\n" + "\n".join([*lines, lines[-1].replace(".5", ".75")]))
    arguments = (
        *(str(recording), "--format", "csv"),
        *("--time-column", "when", "--value-columns", "level"),
    )
    first = Simulators(hub, "replay", *arguments).result()
    second = Simulators(hub, "replay", *arguments, "--form", "columns").result()
    assert (first["stored"], first["errors"]) == (900, {"conflict": 1})
    assert (second["stored"], second["duplicate"], second["rejected"]) == (0, 900, 1)
    assert hub.readings() == 900


def test_ctrl_c_waits_for_the_last_acks_and_tells_the_result(hub: Hub) -> None:
    simulators = Simulators(hub, "run", "--rate", "50", "--duration", "forever")
    wait_until(lambda: hub.readings() > 0, "readings arrive")
    simulators.send(signal.SIGINT)
    result = simulators.result()
    assert result["unacked"] == 0
    assert result["stored"] == result["sent"] == hub.readings()


def test_a_second_ctrl_c_waits_for_nothing(hub: Hub) -> None:
    simulators = Simulators(hub, "run", "--rate", "50", "--duration", "forever")
    wait_until(lambda: hub.readings() > 0, "readings arrive")
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
    return simulators._process.poll() is not None


def test_a_wrong_token_is_one_sentence(hub: Hub) -> None:
    hub.tokens.write_text('{"uid":"sim-00001","token":"wrong"}\n')
    status, out, err = Simulators(hub, "run").end()
    assert (status, out) == (1, "")
    assert "Device sim-00001" in err
    assert "4401" in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in hub.log
