"""Several hubs at once: what is refused, and who watches over them starts again what ended."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command

from project.children import Child
from project.management.commands.runhub import flush_interval_s, try_ports
from project.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, WELL_AFTER_S, Supervisor, how_it_ended

ENDS = [sys.executable, "-S", "-c", "raise SystemExit(3)"]
LASTS = [sys.executable, "-S", "-c", "import signal; signal.pause()"]


class Stage:
    """A supervisor of one program, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.command = ENDS
        self.started: list[Child] = []
        self.supervisor = Supervisor(self.start, [8000], 5.0, lambda: self.now_s)

    def start(self, port: int) -> Child:
        self.started.append(Child(f"on {port}", self.command))
        return self.started[-1]

    def look_after(self, seconds: float) -> int:
        """How many were started, once so much time has passed."""
        self.now_s += seconds
        self.supervisor.look()
        return len(self.started)

    def end_last(self) -> None:
        """It has ended, and that was noticed."""
        self.started[-1].end(10.0)
        self.supervisor.look()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    for child in stage.started:
        child.stop(0)


def test_what_ends_at_once_is_started_again_after_twice_as_long_each_time(stage: Stage) -> None:
    stage.supervisor.look()
    wait_s = FIRST_WAIT_S
    for started in range(1, 10):
        assert len(stage.started) == started
        stage.end_last()
        assert stage.look_after(wait_s * 0.9) == started
        assert stage.look_after(wait_s * 0.2) == started + 1
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
    assert wait_s == LONGEST_WAIT_S


def test_what_ran_for_long_is_started_again_as_if_it_had_never_ended(stage: Stage) -> None:
    stage.supervisor.look()
    stage.end_last()
    stage.command = LASTS
    assert stage.look_after(FIRST_WAIT_S) == 2
    stage.now_s += WELL_AFTER_S
    stage.started[-1].stop(10.0)
    stage.supervisor.look()
    assert stage.look_after(FIRST_WAIT_S) == 3


def test_how_a_program_ended_is_said_in_words() -> None:
    assert how_it_ended(1) == "ended with status 1"
    assert how_it_ended(-signal.SIGKILL) == "was ended by SIGKILL"
    assert how_it_ended(-250) == "was ended by signal 250"


def test_sqlite_takes_one_hub() -> None:
    with pytest.raises(CommandError) as refused:
        call_command("runhub", "--processes=2")
    assert str(refused.value) == (
        "SQLite takes one hub: for --processes 2, name a PostgreSQL in DATABASE_URL."
    )


def test_together_they_commit_as_often_as_one_unless_somebody_said_how_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WEIR_FLUSH_INTERVAL_S", raising=False)
    assert [flush_interval_s(hubs) for hubs in (1, 4, 100)] == [0.02, 0.08, 0.2]
    monkeypatch.setenv("WEIR_FLUSH_INTERVAL_S", "0.02")
    assert flush_interval_s(4) == 0.02


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_how_many_is_a_number_from_one(count: str) -> None:
    with pytest.raises(CommandError, match=f"how many hubs is a number from 1, not '{count}'"):
        call_command("runhub", f"--processes={count}")


def test_a_port_that_is_taken_is_named_before_anything_is_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError) as refused:
            try_ports("127.0.0.1", range(port - 1, port + 1))
    assert str(refused.value) == f"The hub cannot listen on 127.0.0.1:{port}; is the port in use?"


def test_there_are_no_ports_beyond_the_last() -> None:
    with pytest.raises(CommandError, match="There is no port 65536"):
        try_ports("127.0.0.1", range(65_535, 65_537))
