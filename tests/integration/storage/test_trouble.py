"""Real trouble with a real database, and what the engine says of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from ingest.storage import Damaged, OutcomeUnknown, Reason, Trouble
from ingest.storage.postgres import PostgresEngine
from ingest.storage.sqlite import SqliteEngine
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.stage import Hub, Stage, postgres_parameters, run, stored


@pytest.fixture
def sqlite_file(stage: Stage, tmp_path: Path) -> Path:
    """A copy of the test's database, for an engine of its own, to be broken."""
    if stage.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps its files to itself")
    path = tmp_path / "weir.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(path)])
    return path


def test_a_page_that_is_damaged_is_told_from_trouble_that_passes(
    stage: Stage, sqlite_file: Path
) -> None:
    roof = stage.device()
    stage.hub().store(roof, run("t", [(n, float(n)) for n in range(2_000)]))
    sqlite_file.unlink()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(sqlite_file)])
    with closing(sqlite3.connect(sqlite_file)) as copy:
        copy.execute("PRAGMA journal_mode = WAL")
        ((root,),) = copy.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ingest_recent'")
    with sqlite_file.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    hub = Hub(SqliteEngine(sqlite_file, may_lose=True))
    before = sqlite_file.read_bytes()
    with pytest.raises(Damaged, match=r"malformed \(SQLITE_CORRUPT"):
        hub.store(roof, run("t", [(3_000, 1.0)]))
    hub.engine.close()
    assert sqlite_file.read_bytes() == before


def test_a_file_that_was_replaced_under_the_engine_gets_no_more_readings(
    stage: Stage, sqlite_file: Path
) -> None:
    engine = SqliteEngine(sqlite_file, may_lose=True)
    engine.ping()
    moved = sqlite_file.rename(sqlite_file.with_name("moved.sqlite3"))
    for _ in range(2):
        with pytest.raises(Damaged, match="was moved or replaced"):
            engine.ping()
        sqlite_file.write_bytes(moved.read_bytes())  # a backup, say
    engine.close()


class SyncFails:
    """A connection whose COMMIT is written to the log, and cannot be synced."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real

    def execute(self, statement: str, *values: Any) -> Any:
        if statement == "COMMIT":
            self.real.execute(statement)
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = IOERR_FSYNC
            raise error
        return self.real.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


IOERR_FSYNC = sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"


def test_a_commit_whose_sync_failed_is_unknown_and_found_where_the_log_has_it(
    stage: Stage, sqlite_file: Path
) -> None:
    roof = stage.device()
    sqlite_file.unlink()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(sqlite_file)])
    hub = Hub(SqliteEngine(sqlite_file, may_lose=True))
    device = hub.connect(roof)
    engine: Any = hub.engine
    engine._open = SyncFails(engine._open)
    with pytest.raises(OutcomeUnknown):
        hub.write(device.send(run("t", [(0, 1.0)])))
    outcome = hub.transactions.resolve()
    assert outcome is not None
    assert outcome.settlements[0].stored == 1
    assert hub.write(device.send(run("t", [(1, 1.0)]))).settlements[0].stored == 1
    hub.engine.close()
    with closing(sqlite3.connect(sqlite_file)) as copy:
        assert copy.execute("SELECT count(*) FROM ingest_reading").fetchone() == (2,)


def test_a_file_that_is_not_there_is_trouble_and_is_not_made(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "weir.sqlite3")
    with pytest.raises(Trouble) as raised:
        engine.ping()
    assert raised.value.reason is Reason.UNREACHABLE
    assert list(tmp_path.iterdir()) == []


def test_an_engine_does_not_work_where_commits_are_not_synced(
    stage: Stage, sqlite_file: Path
) -> None:
    """These tests do without the sync: see `conftest`."""
    engine = SqliteEngine(sqlite_file)
    with pytest.raises(Trouble, match="synchronous must be FULL") as raised:
        engine.ping()
    assert raised.value.reason is Reason.UNSAFE
    told = SqliteEngine(sqlite_file, may_lose=True)
    told.ping()
    assert told.weakness is not None
    told.close()


def set_database(setting: str) -> None:
    """For every connection that is opened from now on; those that are open are ended."""
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" {setting}')


def end_others() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_database_that_is_read_only_for_a_while_is_written_again_by_itself(
    postgres_stage: Stage,
) -> None:
    hub, roof = postgres_stage.hub(), postgres_stage.device()
    hub.store(roof, run("t", [(0, 1.0)]))
    set_database("SET default_transaction_read_only = on")
    try:
        end_others()
        for reason in (Reason.UNREACHABLE, Reason.READ_ONLY, Reason.READ_ONLY):
            with pytest.raises(Trouble) as raised:
                hub.store(roof, run("t", [(1, 2.0)]))
            assert raised.value.reason is reason
        with pytest.raises(Trouble) as raised:
            hub.engine.ping()
        assert raised.value.reason is Reason.READ_ONLY
    finally:
        set_database("RESET default_transaction_read_only")
    hub.store(roof, run("t", [(1, 2.0)]))
    assert stored(roof, "t") == [(0, 1.0), (1, 2.0)]
    assert_one_mind()


def test_what_counts_is_what_the_writers_own_connection_sees(postgres_stage: Stage) -> None:
    set_database("SET synchronous_commit = off")
    try:
        engine = PostgresEngine(postgres_parameters())
        with pytest.raises(Trouble, match="synchronous_commit = off") as raised:
            engine.ping()
        assert raised.value.reason is Reason.UNSAFE
        told = PostgresEngine(postgres_parameters(), may_lose=True)
        told.ping()
        assert told.weakness is not None
        told.close()
    finally:
        set_database("RESET synchronous_commit")
    engine.ping()
    assert engine.weakness is None
    engine.close()
