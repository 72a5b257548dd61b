"""What a hub does not start on: refused in one sentence, and whoever runs already is left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.hubs import Hub, Store, wait_until
from tests.servers import Postgres


@pytest.fixture
def refused(folder: Path) -> Callable[[Hub], str]:
    """A function that starts a hub that is not to start, and gives the sentence it ends with."""

    def refused(hub: Hub) -> str:
        hub.launch()
        assert hub.end() == 1
        (sentence,) = hub.log.splitlines()
        return sentence

    return refused


def test_a_second_hub_on_a_sqlite_database_is_refused(
    sqlite_store: Store, folder: Path, refused: Callable[[Hub], str]
) -> None:
    with Hub(sqlite_store, folder) as first:
        second = Hub(sqlite_store, folder)
        sentence = refused(second)
        assert "Another hub (process " in sentence
        assert "SQLite takes one hub, PostgreSQL takes several." in sentence
        assert first.ask("/readyz").status == 200
        first.kill()
        second.start()  # the lock went with the process that held it
        second.kill()


def test_two_hubs_run_on_one_postgresql_database(postgres_store: Store, folder: Path) -> None:
    with Hub(postgres_store, folder) as one, Hub(postgres_store, folder) as two:
        assert one.ask("/readyz").status == two.ask("/readyz").status == 200


def test_a_port_in_use_is_refused(
    store: Store, sqlite_store: Store, folder: Path, refused: Callable[[Hub], str]
) -> None:
    with Hub(store, folder) as first:
        second = Hub(sqlite_store, folder)
        second.port = first.port
        sentence = refused(second)
        assert f"The hub cannot listen on 127.0.0.1:{first.port}" in sentence
        assert first.ask("/readyz").status == 200


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_database_without_its_tables_is_refused(
    request: pytest.FixtureRequest, folder: Path, refused: Callable[[Hub], str], engine: str
) -> None:
    fixture = "sqlite_url" if engine == "sqlite" else "postgres_url"
    sentence = refused(Hub(Store(request.getfixturevalue(fixture)), folder))
    assert "run `manage.py migrate` first" in sentence


def test_a_postgresql_that_does_not_sync_is_refused(
    own_postgres: Postgres, folder: Path, refused: Callable[[Hub], str]
) -> None:
    store = Store.migrated(own_postgres.url)
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: store.rows("SHOW fsync") == [("off",)], "PostgreSQL has read its settings")
    assert "fsync = off" in refused(Hub(store, folder))


def test_a_database_that_is_not_there_is_refused(
    own_postgres: Postgres, folder: Path, refused: Callable[[Hub], str]
) -> None:
    own_postgres.stop()
    sentence = refused(Hub(Store(own_postgres.url), folder))
    assert "The database cannot be used" in sentence
    assert own_postgres.password not in sentence


def test_a_setting_that_cannot_be_used_is_refused_by_name(
    sqlite_store: Store, folder: Path
) -> None:
    hub = Hub(sqlite_store, folder, options={"WEIR_IN_FLIGHT": "many"})
    hub.launch()
    assert hub.end() == 1
    assert "WEIR_IN_FLIGHT" in hub.log.splitlines()[-1]
