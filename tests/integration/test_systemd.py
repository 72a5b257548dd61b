"""The systemd units: as systemd's own tool sees them, and their commands on a real database."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests import ROOT
from tests.hubs import environment, manage
from tests.shipped import DEPLOY, OPERATIONS

UNITS = sorted((DEPLOY / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
ONCE = [unit for unit in SERVICES if "Type=oneshot" in unit.read_text()]
MOST_EXPOSED = 20
"""Of 100; systemd says OK below 50, and most of its own services are above 80."""


def name(unit: Path) -> str:
    return unit.name


@pytest.fixture(scope="module")
def analyze(leave_out: Callable[[str, str], NoReturn]) -> Callable[..., str]:
    program = shutil.which("systemd-analyze") or leave_out(
        "systemd", "no systemd-analyze found: install systemd"
    )

    def analyze(*arguments: str | Path) -> str:
        ended = subprocess.run(
            [program, *map(str, arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return analyze


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, of a Weir that is where this one is."""
    folder = tmp_path_factory.mktemp("units")
    for unit in UNITS:
        target = folder / unit.name.replace("@", "@8000")
        target.write_text(_put(unit.read_text()))
    return folder


def _put(text: str) -> str:
    return text.replace("/srv/weir/.venv/bin/python", sys.executable).replace(
        "/srv/weir", str(ROOT)
    )


def test_systemd_finds_nothing_wrong(analyze: Callable[..., str], installed: Path) -> None:
    assert analyze("verify", "--man=no", *sorted(installed.iterdir())) == ""


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_a_service_may_do_little_beside_its_work(analyze: Callable[..., str], unit: Path) -> None:
    analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)


@pytest.mark.parametrize("unit", SERVICES, ids=name)
def test_a_service_is_nobody_and_reads_the_one_file_of_settings(unit: Path) -> None:
    text = unit.read_text()
    assert re.findall(r"^User=(.+)$", text, re.MULTILINE) == ["weir"]
    assert "EnvironmentFile=/etc/weir/weir.env\n" in text
    assert not re.search(r"PASSWORD|SECRET|TOKEN", text)


@pytest.mark.parametrize("unit", ONCE, ids=name)
def test_what_a_service_does_once_can_be_done_here(unit: Path, tmp_path: Path) -> None:
    """On SQLite, in the folder of this test."""
    url = f"sqlite:///{tmp_path / 'weir.sqlite3'}"
    manage(url, "migrate", "--verbosity", "0")
    backups = tmp_path / "backups"
    backups.mkdir()
    for line in re.findall(r"^ExecStart=(.+)$", _put(unit.read_text()), re.MULTILINE):
        words = shlex.split(line.replace("/var/backups/weir", str(backups)))
        plain = [word.replace("%%", "%").replace("$$", "$") for word in words]
        ended = subprocess.run(
            plain,
            cwd=ROOT,
            env=environment(url, {"WEIR_DATA_DIR": tmp_path}),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    if "backup" in unit.name:
        assert len(list(backups.iterdir())) == 1


def test_each_timer_has_a_service_and_is_told_of() -> None:
    timers = [unit for unit in UNITS if unit.suffix == ".timer"]
    assert timers
    for timer in timers:
        assert timer.with_suffix(".service") in UNITS
        assert timer.name in OPERATIONS.read_text()
