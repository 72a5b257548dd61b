"""Points Django's default database at a migrated one of either engine, for one test at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dj_database_url
import pytest
from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from tests.hubs import Store

ENGINES = ["sqlite", "postgresql"]


@contextmanager
def default_database(url: str) -> Iterator[None]:
    """Everything that uses the database, in any thread, uses the one at `url`."""
    before = connections.databases["default"]
    wanted = dict(dj_database_url.parse(url))
    if url.startswith("sqlite"):
        wanted["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
    connections.databases["default"] = connections.configure_settings({"default": wanted})[
        "default"
    ]
    outer = connections["default"]
    del connections["default"]
    try:
        yield
    finally:
        connection.close()
        connections["default"] = outer
        connections.databases["default"] = before


@pytest.fixture(scope="module", params=ENGINES)
def engine_url(request: pytest.FixtureRequest, new_store: Callable[[str], Store]) -> str:
    """The URL of a migrated database of this module's own, on each engine in turn."""
    return new_store(request.param).url


@pytest.fixture
def engine(engine_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """The vendor of the default database, which is empty but for the state of the line."""
    with django_db_blocker.unblock(), default_database(engine_url):
        yield connection.vendor
        _empty()


def _empty() -> None:
    kept = {"django_migrations", "django_content_type", "auth_permission", "ingest_linestate"}
    tables = [name for name in connection.introspection.table_names() if name not in kept]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET session_replication_role = replica")
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("SET session_replication_role = DEFAULT")
        else:
            cursor.execute("PRAGMA foreign_keys = OFF")
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("DELETE FROM ingest_linestate")
        never = "'0001-01-01 00:00:00+00'"
        if connection.vendor == "sqlite":
            never = "-62135596800000000"
        cursor.execute(
            "INSERT INTO ingest_linestate (id, sealing_from, sealing_to, sealing_series, catalogue)"
            f" VALUES (1, {never}, {never}, 0, 0)"
        )
