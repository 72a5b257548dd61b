"""Every test here runs on both engines, on a database that is empty but for the line's state."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingest.storage import sqlite_connection
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.storage.stage import Stage


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a power cut leaves of the file is SQLite's; here processes die, and disks are slow."""
    quick = [
        pragma.replace("synchronous=FULL", "synchronous=OFF")
        for pragma in sqlite_connection.PRAGMAS
    ]
    monkeypatch.setattr(sqlite_connection, "PRAGMAS", quick)


@pytest.fixture
def stage(engine: str) -> Iterator[Stage]:  # noqa: F811
    stage = Stage(engine)
    yield stage
    stage.close()


@pytest.fixture
def postgres_stage(stage: Stage) -> Stage:
    """For what only several hubs on one database can meet."""
    if stage.vendor != "postgresql":
        pytest.skip("SQLite has one hub")
    return stage
