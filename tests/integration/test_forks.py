"""What a test forks is a program like one that was started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.forks import MANAGE, Program, run, start
from tests.hubs import environment, wait_until

LASTS = "import time; print('here', flush=True); time.sleep(600)"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux's are forked")


def told(*arguments: str, **options: str) -> tuple[int, str, str]:
    ended = run(arguments, environment("", options), 60)
    return ended.returncode, ended.stdout, ended.stderr


def anew(*arguments: str, **options: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [*MANAGE, *arguments],
        env=environment("", options),
        check=False,
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_it_prints_and_ends_as_one_that_begins_anew(tmp_path: Path) -> None:
    data = {"WEIR_DATA_DIR": str(tmp_path)}
    for arguments in (["adddevice"], ["migrate", "--check"]):
        assert told(*arguments, **data) == anew(*arguments, **data)


def test_its_environment_is_its_own(tmp_path: Path) -> None:
    assert told("check", WEIR_DATA_DIR=str(tmp_path), WEIR_FLUSH_INTERVAL_S="no")[0] != 0
    assert told("check", WEIR_DATA_DIR=str(tmp_path))[0] == 0


def test_it_can_be_killed_and_says_by_what(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with said.open("wb") as out:
        program = start([*MANAGE, "shell", "-c", LASTS], environment("", {}), out, out)
    assert isinstance(program, Program)
    wait_until(lambda: "here" in said.read_text(), "it runs")
    assert program.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        program.wait(0.01)
    assert os.getpgid(program.pid)
    program.kill()
    assert program.wait(60) == -signal.SIGKILL
    assert program.poll() == -signal.SIGKILL
    program.kill()  # that has ended
    with pytest.raises(ProcessLookupError):
        os.kill(program.pid, 0)


def test_what_a_process_reads_at_its_start_needs_one_that_begins_anew() -> None:
    with TemporaryFile() as out:
        faked = environment("", {"FAKETIME": "+1d"})
        program = start([*MANAGE, "version"], faked, out, out)
        assert isinstance(program, subprocess.Popen)
        assert program.wait(60) == 0
