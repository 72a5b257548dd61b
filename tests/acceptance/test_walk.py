"""A newcomer's walk from an empty machine to three hubs behind nginx, as `deploy/walk` has it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.hubs import environment

WITHIN_S = 300.0
"""Half a minute on an idle machine."""


@pytest.mark.usefixtures("postgres_programs", "redis_program", "nginx_program")
def test_the_walk_arrives(tmp_path: Path) -> None:
    # nginx drops root, and its workers are to reach what is theirs in it.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & stat.S_IXOTH:
            folder.chmod(0o711)
    walked = subprocess.run(
        [ROOT / "deploy" / "walk", tmp_path / "walk"],
        env=environment("", {"PYTHON": sys.executable, "WALK_FLEET": "8s"}),
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert walked.returncode == 0, walked.stdout + walked.stderr
    steps = [line for line in walked.stdout.splitlines() if line.startswith("── ")]
    assert steps[-1] == "── Done"
    assert '"stored":1,"duplicate":0' in walked.stdout


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for program in ("bash", "dirname", "realpath", "mktemp", "find", "sort", "tail", "rm"):
        (bare / program).symlink_to(f"/usr/bin/{program}")
    walked = subprocess.run(
        [ROOT / "deploy" / "walk", tmp_path / "walk"],
        env={"PATH": str(bare), "PYTHON": sys.executable},
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert walked.returncode == 1
    assert "walk: there is no " in walked.stderr
    assert "install it" in walked.stderr
