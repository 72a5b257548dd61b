"""Programs run beside another end with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from project.children import Child, first_to_end

DEADLINE_S = 60.0
WAITS = "import signal, sys; print('up', flush=True); signal.pause()"
IGNORES = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
STUBBORN = IGNORES + "while True: signal.pause()"


def python(name: str, text: str) -> Child:
    return Child(name, [sys.executable, "-c", text], quiet=True)


def test_the_first_to_end_is_told() -> None:
    lasting, brief = python("lasting", WAITS), python("brief", "raise SystemExit(3)")
    try:
        assert first_to_end([lasting, brief], lambda: False) is brief
        assert brief.ended() == 3
        assert lasting.ended() is None
    finally:
        lasting.stop(DEADLINE_S)
    assert lasting.ended() == -signal.SIGTERM


def test_none_has_ended_when_we_are_asked_to_stop() -> None:
    lasting = python("lasting", WAITS)
    try:
        assert first_to_end([lasting], lambda: True) is None
    finally:
        lasting.stop(DEADLINE_S)


def test_who_does_not_stop_when_asked_is_ended() -> None:
    stubborn = python("stubborn", STUBBORN)
    stubborn.stop(0.2)
    assert stubborn.ended() in (-signal.SIGKILL, -signal.SIGTERM)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a child of the death")
def test_a_child_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    child = f"import os, signal, pathlib; pathlib.Path({str(tmp_path / 'pid')!r})"
    child += ".write_text(f'{os.getpid()}.'); signal.pause()"
    parent = f"""
import signal, sys
from project.children import Child
Child("child", [sys.executable, "-c", {child!r}])
signal.pause()
"""
    running = subprocess.Popen([sys.executable, "-c", parent])
    number = written(tmp_path / "pid")
    running.kill()
    running.wait()
    deadline_s = time.monotonic() + DEADLINE_S
    while lives(number):
        assert time.monotonic() < deadline_s, "the child lives on"
        time.sleep(0.01)


def written(path: Path) -> int:
    deadline_s = time.monotonic() + DEADLINE_S
    while not (path.exists() and path.read_text().endswith(".")):
        assert time.monotonic() < deadline_s, "the child did not start"
        time.sleep(0.01)
    return int(path.read_text().rstrip("."))


def lives(number: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent to look does not."""
    try:
        os.kill(number, 0)
        return ") Z " not in Path(f"/proc/{number}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False
