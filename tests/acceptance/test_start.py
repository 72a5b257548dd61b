"""What a hub does not start on: refused in one sentence, and whoever runs already is left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.devices import device, frame
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
    set_fsync(store, "off")
    assert "fsync = off" in refused(Hub(store, folder))


async def test_a_hub_that_was_told_to_run_on_it_says_so_until_it_syncs(
    own_postgres: Postgres, folder: Path
) -> None:
    store = Store.migrated(own_postgres.url)
    token = store.add_device("trial")
    await asyncio.to_thread(set_fsync, store, "off")
    options = {"WEIR_UNSAFE_DURABILITY": "true"}
    with Hub(store, folder, options=options) as hub:
        wait_until(lambda: hub.figures()["weir_durable"] == 0, "it is counted")
        async with device(hub.url, token) as trial:
            assert (await trial.hello("one"))["durable"] is False
            assert (await trial.ask(frame(1)))["stored"] == 1
            await asyncio.to_thread(set_fsync, store, "on")
            assert (await trial.ask(frame(2)))["stored"] == 1
        assert hub.figures()["weir_durable"] == 1
        async with device(hub.url, token) as trial:
            assert "durable" not in await trial.hello("two")
        assert "what is acked may be lost: PostgreSQL runs with fsync = off" in hub.log


async def test_a_running_hub_acks_nothing_while_its_database_does_not_sync(
    own_postgres: Postgres, folder: Path
) -> None:
    store = Store.migrated(own_postgres.url)
    token = store.add_device("steady")
    options = {"WEIR_RETRY_INTERVAL_S": 0.1}
    with Hub(store, folder, options=options) as hub:
        async with device(hub.url, token) as steady:
            await steady.hello("boot")
            assert (await steady.ask(frame(1)))["stored"] == 1
            await asyncio.to_thread(set_fsync, store, "off")
            await steady.say(frame(2))
            wait_until(
                lambda: "power cut" in hub.ask("/readyz").json["writer"], "the hub is not ready"
            )
            assert store.readings() == 1
            await asyncio.to_thread(set_fsync, store, "on")
            assert (await steady.hear_acks_through(2))["stored"] == 1
        wait_until(lambda: hub.ask("/readyz").status == 200, "the hub is ready again")


def set_fsync(store: Store, value: str) -> None:
    """As an operator may, under a running hub: the server reads it again."""
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET fsync = {value}".encode())
        connection.execute("SELECT pg_reload_conf()")
    wait_until(lambda: store.rows("SHOW fsync") == [(value,)], "PostgreSQL has read its settings")


Breaking = Callable[[Path], None]


def of_other_bytes(path: Path) -> None:
    path.write_bytes(b"temperature,humidity\n" * 1000)


def cut_off(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def of_somebody_else(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE albums (title)")


def without_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE ingest_sealed")


def with_a_damaged_schema(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 1000)


@pytest.mark.parametrize(
    ("breaking", "said"),
    [
        (of_other_bytes, "is not a SQLite database"),
        (cut_off, "is damaged: it was cut off"),
        (of_somebody_else, "is a database of something else: it has albums"),
        (without_a_table, "has no ingest_sealed: it is not whole"),
        (with_a_damaged_schema, "is damaged: "),
    ],
)
def test_a_sqlite_file_that_is_damaged_or_foreign_is_refused_and_left_as_it_is(
    sqlite_store: Store,
    folder: Path,
    refused: Callable[[Hub], str],
    breaking: Breaking,
    said: str,
) -> None:
    path = Path(sqlite_store.url.removeprefix("sqlite:///"))
    breaking(path)
    before = path.read_bytes()
    assert said in refused(Hub(sqlite_store, folder))
    assert path.read_bytes() == before


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
