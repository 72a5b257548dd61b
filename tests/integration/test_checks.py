"""A hub does not start on a database that could lose what it acked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from project.database import DatabaseClaimed, claim_database, start_problems
from tests.integration.engine import default_database, engine, engine_url  # noqa: F401


@pytest.mark.usefixtures("engine")
def test_a_database_as_it_comes_has_no_problems() -> None:
    assert start_problems(connection) == []
    call_command("check", databases=["default"])


@pytest.mark.usefixtures("engine")
def test_a_database_that_does_not_sync_is_refused_in_one_sentence() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous = NORMAL")
        else:
            cursor.execute("SET synchronous_commit = off")
    (problem,) = start_problems(connection)
    assert "synchronous" in problem
    with pytest.raises(SystemCheckError, match="synchronous"):
        call_command("check", databases=["default"])


@pytest.mark.usefixtures("engine")
def test_a_journal_or_an_isolation_that_the_line_does_not_expect_is_refused() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode = DELETE")
        else:
            cursor.execute("SET default_transaction_isolation = 'serializable'")
    (problem,) = start_problems(connection)
    assert "'delete'" in problem or "'serializable'" in problem


def test_a_second_hub_on_one_sqlite_file_is_refused_until_the_first_has_ended(
    sqlite_url: str, tmp_path: Path
) -> None:
    holder = (
        "import fcntl, sys; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX);"
        " f.write('4711'); f.flush(); print('held', flush=True); sys.stdin.read()"
    )
    lock = tmp_path / "weir.sqlite3.hub.lock"
    first = subprocess.Popen(
        [sys.executable, "-c", holder, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    with default_database(sqlite_url):
        with pytest.raises(DatabaseClaimed, match=r"process 4711\) runs on .*weir\.sqlite3"):
            claim_database()
        first.kill()
        first.communicate()
        claim = claim_database()
        assert claim is not None
        with pytest.raises(DatabaseClaimed):
            claim_database()
        claim.close()


@pytest.mark.parametrize("engine_url", ["postgresql"], indirect=True)
@pytest.mark.usefixtures("engine")
def test_many_hubs_may_run_on_postgresql() -> None:
    assert claim_database() is None
