"""`manage.py checkdatabase` on real databases, whole and broken in ways it must name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection

from devices.models import Device
from tests.integration.engine import default_database, engine, engine_url  # noqa: F401
from tests.integration.storage.stage import Stage, run


def checked(*arguments: str) -> tuple[int, str]:
    """The exit status, and what it wrote."""
    out = StringIO()
    try:
        call_command("checkdatabase", *arguments, stdout=out)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def roof(engine: str) -> Device:  # noqa: F811
    stage = Stage(engine)
    hub, roof = stage.hub(), stage.device()
    hub.store(roof, run("t", [(n, float(n)) for n in range(0, 7_200, 60)]), run("s", [(0, "on")]))
    hub.seal_all(3_600)
    hub.store(roof, run("t", [(30, 1.5)]))
    stage.close()
    return roof


def with_amcheck() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            try:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
            except DatabaseError:
                pytest.skip("PostgreSQL has no amcheck here")


@pytest.mark.usefixtures("roof")
def test_a_whole_database_has_nothing_wrong() -> None:
    status, said = checked()
    assert (status, "wrong: " in said) == (0, False), said
    with_amcheck()
    status, said = checked()
    assert (status, "wrong: " in said) == (0, False), said
    assert "checked every " in said
    assert "checked every rollup against its readings: nothing wrong" in said
    assert "rollup" not in checked("--quick")[1]


@pytest.mark.usefixtures("roof")
def test_a_rollup_that_is_wrong_is_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ingest_rollup SET count = count + 1 WHERE step_s = 3600")
    status, said = checked()
    assert status == 1
    assert "wrong: roof t 2026-11-23T06:00:00.000000Z: its count is 62" in said


@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("roof")
def test_an_index_that_lacks_rows_is_named(tmp_path: Path) -> None:
    copy = tmp_path / "broken.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    break_an_index(copy)
    with default_database(f"sqlite:///{copy}"):
        status, said = checked()
    assert status == 1
    assert "wrong: " in said
    assert "index" in said


def break_an_index(path: Path) -> None:
    """The page of an index on streams becomes an empty one: its rows are in the table alone."""
    with closing(sqlite3.connect(path)) as database:
        ((page,),) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE type = 'index' AND tbl_name ="
            " 'devices_series' LIMIT 1"
        )
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes([10, 0, 0, 0, 0, 16, 0, 0]))


@pytest.mark.parametrize("engine_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("roof")
def test_a_file_that_is_none_is_said_and_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_text("temperature,humidity\n" * 100)
    with default_database(f"sqlite:///{path}"):
        status, said = checked()
    assert status == 1
    assert "is not a SQLite database" in said
    assert "tables" not in said
