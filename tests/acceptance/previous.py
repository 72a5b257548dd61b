"""The Weir of before: its code as it was, taken from this repository's own history."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.hubs import DEADLINE_S, environment

# Before series had units, devices a retention, or programs read tokens. Once there are releases,
# the last of them.
COMMIT = "560b3b8bec6e562939fb124a3c35d38f9e078635"


class Previous:
    """Its files in `folder`; it runs with the packages of today."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fetch(self) -> bool:
        """False where the history is not here: a shallow clone, or files without one."""
        told = ["git", "-C", str(ROOT), "archive", "--format=tar", COMMIT]
        try:
            archive = subprocess.run(told, check=False, capture_output=True)
        except FileNotFoundError:
            return False
        if archive.returncode:
            return False
        subprocess.run(["tar", "-xf", "-"], check=True, input=archive.stdout, cwd=self.folder)
        return True

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.folder / "manage.py"), *arguments]

    def manage(self, database_url: str, *arguments: str) -> None:
        ended = subprocess.run(
            self.command(*arguments),
            env=environment(database_url, {}),
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=4 * DEADLINE_S,
        )
        assert ended.returncode == 0, ended.stderr
