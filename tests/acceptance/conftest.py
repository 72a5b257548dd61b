"""Databases for real hubs: each test gets a copy of one that was migrated once.

And a neighbour, for the tests of a module that has a `hub`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store
from tests.servers import drop_database

ENGINES = ["sqlite", "postgresql"]


@pytest.fixture(scope="session")
def sqlite_stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Store]:
    folder = tmp_path_factory.mktemp("migrated")
    migrated = Store.migrated(f"sqlite:///{folder / 'weir.sqlite3'}")
    return lambda: migrated.copy(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def postgres_stores(
    postgres_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Store]]:
    migrated = Store.migrated(postgres_database())
    made: list[Store] = []

    def copy() -> Store:
        made.append(migrated.copy(tmp_path_factory.mktemp("store")))
        return made[-1]

    yield copy
    for store in made:
        drop_database(store.url)


@pytest.fixture(scope="session")
def new_store(request: pytest.FixtureRequest) -> Callable[[str], Store]:
    """A function that gives an empty database of the engine named."""

    def new_store(engine: str) -> Store:
        which = "sqlite_stores" if engine == "sqlite" else "postgres_stores"
        copy: Callable[[], Store] = request.getfixturevalue(which)
        return copy()

    return new_store


@pytest.fixture(params=ENGINES)
def store(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> Store:
    """An empty database of this test's own, on each engine in turn."""
    return new_store(request.param)


@pytest.fixture
def sqlite_store(new_store: Callable[[str], Store]) -> Store:
    return new_store("sqlite")


@pytest.fixture
def postgres_store(new_store: Callable[[str], Store]) -> Store:
    return new_store("postgresql")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a hub of this test keeps its log and its other files."""
    return tmp_path


@pytest.fixture(scope="module")
def token(hub: Hub) -> str:
    """Of a device whose other tokens are no good."""
    return hub.store.add_device("abuser")


@pytest.fixture(scope="module")
def neighbours_token(hub: Hub) -> str:
    return hub.store.add_device("neighbour")


@pytest.fixture
async def neighbour(hub: Hub, neighbours_token: str) -> AsyncIterator[Device]:
    """Another device that was there before, and is served as before when the test is over."""
    async with device(hub.url, neighbours_token) as neighbour:
        await neighbour.hello()
        assert (await neighbour.ask(frame(1)))["seq"] == 1
        yield neighbour
        assert (await neighbour.ask(frame(2)))["seq"] == 2
    assert "Traceback" not in hub.log
    assert " ERROR " not in hub.log
