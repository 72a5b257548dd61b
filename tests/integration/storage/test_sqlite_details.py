"""What the SQLite engine relies on, in SQLite and in Python's module for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.storage import Poison, Trouble, sqlite_connection, sqlite_rows
from ingest.storage.sqlite import SqliteEngine
from tests.integration.storage.aggregation import assert_one_mind
from tests.integration.storage.stage import Stage, counts, named, run, stored


@pytest.fixture
def table(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(tmp_path / "t", isolation_level=None)
    db.execute("CREATE TABLE t (k integer PRIMARY KEY, v real NOT NULL) WITHOUT ROWID")
    yield db
    db.close()


def test_executemany_asks_for_a_row_when_the_one_before_is_done(table: sqlite3.Connection) -> None:
    table.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
    seen = []

    def rows() -> Iterator[tuple[int, float]]:
        for key in (0, 1, 2, 3):
            before = table.total_changes
            yield key, 1.0
            seen.append(table.total_changes - before)

    table.executemany("INSERT OR IGNORE INTO t VALUES (?, ?)", rows())
    assert seen == [1, 0, 0, 1]


def test_the_count_of_a_statement_of_many_rows_is_of_those_it_inserted(
    table: sqlite3.Connection,
) -> None:
    insert = "INSERT OR IGNORE INTO t VALUES (?, 1), (?, 1), (?, 1)"
    assert table.execute(insert, (1, 2, 3)).rowcount == 3
    assert table.execute(insert, (3, 4, 4)).rowcount == 1
    assert table.execute(insert, (1, 2, 3)).rowcount == 0


def test_a_statement_takes_as_many_parameters_as_a_chunk_has(table: sqlite3.Connection) -> None:
    assert table.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) >= 3 * sqlite_rows.CHUNK_ROWS


def test_a_chunk_done_again_row_by_row_leaves_the_chunks_beside_it(stage: Stage) -> None:
    hub, roof = stage.hub(), stage.device()
    size = sqlite_rows.CHUNK_ROWS
    middle = range(size, 2 * size, 2)
    hub.store(roof, run("t", [(second, -1.0) for second in middle]))
    settlement = hub.store(roof, run("t", [(second, 1.0) for second in range(3 * size)]))
    assert counts(settlement) == (3 * size - len(middle), 0, len(middle))
    assert [sample for _, _, sample, _ in named(settlement)] == list(middle)
    values = dict.fromkeys(range(3 * size), 1.0) | dict.fromkeys(middle, -1.0)
    assert stored(roof, "t") == sorted(values.items())
    assert_one_mind()


def test_not_a_number_is_poison_and_not_a_duplicate(stage: Stage) -> None:
    """SQLite takes it for NULL, and OR IGNORE passes over it without a word."""
    if stage.vendor != "sqlite":
        pytest.skip("PostgreSQL stores it")
    hub, roof = stage.hub(), stage.device()
    with pytest.raises(Poison):
        hub.store(roof, run("t", [(0, 1.0), (1, float("nan"))]))
    assert stored(roof, "t") == []


def test_a_connection_is_used_with_all_of_its_pragmas_or_not_at_all(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage.vendor != "sqlite":
        pytest.skip("the pragmas are SQLite's")
    good = sqlite_connection.PRAGMAS
    engine = stage.open_engine()
    assert isinstance(engine, SqliteEngine)
    monkeypatch.setattr(sqlite_connection, "PRAGMAS", ("SELECT no_such_column", *good))
    with pytest.raises(Trouble):
        engine.ping()
    monkeypatch.setattr(sqlite_connection, "PRAGMAS", good)
    engine.ping()
    assert engine._db.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_bug_of_ours_is_not_taken_for_trouble_with_the_database(stage: Stage) -> None:
    """Trouble is tried again for ever."""
    hub, roof = stage.hub(), stage.device()
    strange = run("state", [(0, "on")])
    strange.values[0] = object()  # type: ignore[call-overload]
    with pytest.raises(Exception, match=r"(?i)type|adapt|conver") as raised:
        hub.store(roof, strange)
    assert not isinstance(raised.value, Trouble)
