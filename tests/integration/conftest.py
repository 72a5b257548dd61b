"""What makes the tests of pages and of the API quick."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from servestatic.responders import StaticFile

from project.static import CompressedStatic


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    """Each new client has middleware of its own, which would look at every file again."""
    find = CompressedStatic.add_files_from_finders
    found: dict[Path, dict[str, StaticFile]] = {}

    def add(self: CompressedStatic) -> None:
        folder = settings.OPTIONS.data_dir
        if folder not in found:
            find(self)
            found[folder] = dict(self.files)
        self.files.update(found[folder])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CompressedStatic, "add_files_from_finders", add)
        yield
