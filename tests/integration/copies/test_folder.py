"""A folder that is there whole or not at all, whoever is killed, and whoever else makes it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from project.copies import CannotCopy
from project.copies.folder import making
from tests import ROOT

DIES = """
import os, pathlib, sys
from project.copies.folder import making
with making(pathlib.Path(sys.argv[1])) as partial:
    (partial / "half").write_text("half")
    os.kill(os.getpid(), 9)
"""


def test_it_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    with making(path) as partial:
        (partial / "file").write_text("whole")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_one_that_failed(tmp_path: Path) -> None:
    with suppress(KeyboardInterrupt), making(tmp_path / "copy") as partial:
        (partial / "half").write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_one_that_was_killed_is_no_copy_and_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    ended = subprocess.run([sys.executable, "-c", DIES, str(path)], cwd=ROOT, check=False)
    assert ended.returncode == -9
    assert [found.name for found in tmp_path.iterdir()] == ["copy.partial"]
    with making(path) as partial:
        assert list(partial.iterdir()) == []
    assert list(tmp_path.iterdir()) == [path]


def test_two_do_not_make_the_same_one(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    with making(path) as partial:
        (partial / "file").write_text("first")
        with pytest.raises(CannotCopy, match="is being made by another backup"), making(path):
            pass
    assert (path / "file").read_text() == "first"


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    path = tmp_path / "copy"
    path.mkdir()
    with pytest.raises(CannotCopy, match="is there already"), making(path):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "copy"
    told = r"nowhere/copy\.partial cannot be made: No such file"
    with pytest.raises(CannotCopy, match=told), making(nowhere):
        pass
    assert list(tmp_path.iterdir()) == []
