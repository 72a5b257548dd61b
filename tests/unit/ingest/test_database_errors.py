"""What an engine's error is taken for: our trouble is never blamed on a reading."""

from __future__ import annotations

import sqlite3
import struct

import psycopg
import pytest
from psycopg import errors

from ingest.storage import (
    Collision,
    Damaged,
    OutcomeUnknown,
    Poison,
    Reason,
    Trouble,
    postgres_errors,
    sqlite_errors,
)


def of_sqlite(name: str) -> Exception:
    error = sqlite3.OperationalError("said SQLite")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name
    return sqlite_errors.told(error)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_FULL", Reason.FULL),
        ("SQLITE_IOERR_SHMSIZE", Reason.FULL),
        ("SQLITE_READONLY", Reason.READ_ONLY),
        ("SQLITE_READONLY_DBMOVED", Reason.READ_ONLY),
        ("SQLITE_BUSY", Reason.LOCKED),
        ("SQLITE_BUSY_SNAPSHOT", Reason.LOCKED),
        ("SQLITE_IOERR_FSYNC", Reason.DISK),
        ("SQLITE_IOERR_WRITE", Reason.DISK),
        ("SQLITE_CANTOPEN", Reason.UNREACHABLE),
        ("SQLITE_ERROR", Reason.SCHEMA),
        ("SQLITE_EMPTY", Reason.OTHER),
        ("SQLITE_CORRUPT_INDEX", Reason.DAMAGED),
        ("SQLITE_NOTADB", Reason.DAMAGED),
        ("SQLITE_IOERR_SHORT_READ", Reason.DAMAGED),
    ],
)
def test_sqlite_in_trouble_says_which(name: str, reason: Reason) -> None:
    told = of_sqlite(name)
    assert isinstance(told, Trouble)
    assert told.reason is reason
    assert isinstance(told, Damaged) == (reason is Reason.DAMAGED)
    assert name in str(told)


def test_what_sqlite_will_never_take_is_poison() -> None:
    for name in ("SQLITE_CONSTRAINT_NOTNULL", "SQLITE_MISMATCH", "SQLITE_TOOBIG"):
        assert isinstance(of_sqlite(name), Poison)
    assert isinstance(sqlite_errors.told(OverflowError("too large")), Poison)


def test_a_bug_of_ours_stays_what_it_is() -> None:
    for bug in (sqlite3.ProgrammingError("wrong number of bindings"), of_sqlite("SQLITE_MISUSE")):
        assert sqlite_errors.told(bug) is bug
    bug = psycopg.ProgrammingError("the query has 1 placeholder but 0 parameters were passed")
    assert postgres_errors.told(bug) is bug


def test_a_full_memory_is_trouble() -> None:
    told = sqlite_errors.told(MemoryError())
    assert isinstance(told, Trouble)
    assert told.reason is Reason.MEMORY


def of_postgres(state: str) -> Exception:
    return postgres_errors.told(errors.lookup(state)("said\n  PostgreSQL"))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("53100", Reason.FULL),
        ("25006", Reason.READ_ONLY),
        ("55P03", Reason.LOCKED),
        ("53200", Reason.MEMORY),
        ("53300", Reason.UNREACHABLE),
        ("57P01", Reason.UNREACHABLE),
        ("57P03", Reason.UNREACHABLE),
        ("08006", Reason.UNREACHABLE),
        ("3D000", Reason.UNREACHABLE),
        ("58030", Reason.DISK),
        ("42P01", Reason.SCHEMA),
        ("0A000", Reason.SCHEMA),
        ("57014", Reason.OTHER),
        ("25P03", Reason.OTHER),
        # Also what a server says that must be vacuumed before it runs out of transactions.
        ("54000", Reason.OTHER),
        ("XX000", Reason.OTHER),
        ("XX001", Reason.DAMAGED),
        ("XX002", Reason.DAMAGED),
    ],
)
def test_postgresql_in_trouble_says_which(state: str, reason: Reason) -> None:
    told = of_postgres(state)
    assert isinstance(told, Trouble)
    assert not isinstance(told, Collision)
    assert told.reason is reason
    assert isinstance(told, Damaged) == (reason is Reason.DAMAGED)
    assert str(told) == "said PostgreSQL"


def test_a_lost_connection_is_trouble_and_at_commit_nobody_knows() -> None:
    lost = psycopg.OperationalError("server closed the connection unexpectedly")
    told = postgres_errors.told(lost)
    assert isinstance(told, Trouble)
    assert told.reason is Reason.UNREACHABLE
    assert isinstance(postgres_errors.told_of_commit(lost, True), OutcomeUnknown)
    full = errors.lookup("53100")("no space left on device")
    assert not isinstance(postgres_errors.told_of_commit(full, False), OutcomeUnknown)


def test_who_was_only_in_the_way_is_tried_again_at_once() -> None:
    for state in ("40001", "40P01"):
        assert isinstance(of_postgres(state), Collision)


def test_what_postgresql_will_never_take_is_poison() -> None:
    for state in ("22003", "22021", "23502"):
        assert isinstance(of_postgres(state), Poison)
    for error in (psycopg.DataError("NUL"), struct.error("int too large"), OverflowError()):
        assert isinstance(postgres_errors.told(error), Poison)
