"""A file that cannot be Weir's database is told so in one sentence, and left as it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from project.databasefile import file_problem

OURS, OTHERS = {"ingest_recent"}, {"auth_user"}
PAGE_BYTES = 4096


def problem(path: Path) -> str | None:
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    told = file_problem(path, OURS, OTHERS)
    after = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert {name: after[name] for name in before if not name.endswith("-shm")} == {
        name: content for name, content in before.items() if not name.endswith("-shm")
    }
    return told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weir.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open, with a log beside it that is not folded in."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("CREATE TABLE ingest_recent (n, text)")
        yield database


def fill(database: sqlite3.Connection, rows: int) -> None:
    database.executemany(
        "INSERT INTO ingest_recent VALUES (?, ?)", [(n, "x" * 500) for n in range(rows)]
    )


def cut(path: Path, pages: int) -> None:
    with path.open("r+b") as file:
        file.truncate(file.seek(0, 2) - pages * PAGE_BYTES)


def test_a_file_that_is_yet_to_be_made_is_none(path: Path) -> None:
    assert problem(path) is None
    path.touch()
    assert problem(path) is None


def test_other_bytes_are_no_database(path: Path) -> None:
    path.write_bytes(b"temperature,humidity\n" * 1000)
    assert "is not a SQLite database" in str(problem(path))


def test_a_header_that_is_not_whole_is_damage(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0\x10")
    assert "its header is not whole" in str(problem(path))
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    assert "its header is not whole" in str(problem(path))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read" in str(file_problem(tmp_path, OURS, OTHERS))


def test_a_good_database_is_good_with_and_without_its_log(
    database: sqlite3.Connection, path: Path, tmp_path: Path
) -> None:
    fill(database, 100)
    assert problem(path) is None  # nearly all of it is in the log
    database.execute("PRAGMA wal_checkpoint")
    assert problem(path) is None
    fill(database, 100)
    assert problem(path) is None
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), copy / name)
    assert problem(copy / path.name) is None  # as a power cut leaves it


def test_a_file_that_was_cut_off_is_known_with_and_without_a_log(
    database: sqlite3.Connection, path: Path, tmp_path: Path
) -> None:
    fill(database, 100)
    database.execute("PRAGMA wal_checkpoint")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(path, alone)
    cut(alone / path.name, 3)
    assert "3 of its " in str(problem(alone / path.name))
    fill(database, 1)  # the log has the new last page, and not those before it
    logged = tmp_path / "logged"
    logged.mkdir()
    for name in (path.name, f"{path.name}-wal"):
        shutil.copy(path.with_name(name), logged)
    assert problem(logged / path.name) is None
    cut(logged / path.name, 4)
    assert "it was cut off" in str(problem(logged / path.name))


def test_pages_that_nobody_reads_may_be_missing(database: sqlite3.Connection, path: Path) -> None:
    """SQLite does not write a page that was taken and freed in one transaction."""
    database.execute("BEGIN")
    database.execute("CREATE TABLE passing (text)")
    database.execute("INSERT INTO passing VALUES (?)", ["y" * 50 * PAGE_BYTES])
    database.execute("DROP TABLE passing")
    database.execute("COMMIT")
    assert problem(path) is None


def test_a_database_of_something_else_is_not_touched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE albums (title)")
        database.execute("CREATE TABLE auth_user (name)")
    assert "it has albums, and no table of Weir's" in str(problem(path))
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE albums")
    assert problem(path) is None  # migrations that were cut off begin with these


def test_a_first_page_that_cannot_be_read_is_damage(
    database: sqlite3.Connection, path: Path
) -> None:
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 200)
    assert "is damaged: " in str(problem(path))
