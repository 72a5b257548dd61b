"""Where the recordings of real sensors lie, which are not part of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests import ROOT


def recordings_folder() -> Path:
    """What WEIR_TEST_DATA names, else `../shared/data` of the repository; it may not be there."""
    return Path(os.environ.get("WEIR_TEST_DATA") or _beside_the_repository())


def _beside_the_repository() -> Path:
    """Also when these tests run in a worktree of it."""
    git = shutil.which("git")
    found = git and subprocess.run(
        [git, "rev-parse", "--path-format=absolute", "--git-common-dir"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    places = [ROOT, Path(found.stdout.strip()).parent] if found and found.stdout else [ROOT]
    folders = [place.parent / "shared" / "data" for place in places]
    return next((folder for folder in folders if folder.is_dir()), folders[0])
