"""Databases for real hubs, and a neighbour for the tests of a module that has a `hub`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.acceptance.devices import Device, device, frame
from tests.hubs import Hub, Store

ENGINES = ["sqlite", "postgresql"]


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
