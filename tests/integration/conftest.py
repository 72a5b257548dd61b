"""A database in a file; and what makes the tests of pages and of the API quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker
from servestatic.responders import StaticFile

from project.static import CompressedStatic
from tests.hubs import Store
from tests.integration.engine import default_database


@pytest.fixture
def database(
    new_store: Callable[[str], Store], django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """The path of a migrated database that the hub's threads see, too."""
    url = new_store("sqlite").url
    with django_db_blocker.unblock(), default_database(url):
        yield url.removeprefix("sqlite:///")


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
