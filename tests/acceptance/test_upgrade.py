"""A database of the previous Weir becomes one of this, while its hub takes what devices send."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests import ROOT
from tests.acceptance.previous import Previous
from tests.acceptance.test_copies import (
    DEVICES,
    OPTIONS,
    STEADY,
    checked,
    wait_for_more,
    wait_until_each_goes_on,
)
from tests.hubs import Hub, Store, command, environment, manage, wait_until
from tests.programs import ZEROS, Simulators, differences, reconciled

COUNT = "SELECT count(*) FROM django_migrations"


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Previous:
    """Skipped in a shallow clone, in CI too: nothing that could be installed helps."""
    found = Previous(tmp_path_factory.mktemp("previous"))
    if not found.fetch():
        pytest.skip("the previous Weir's commit is not in this clone: fetch the whole history")
    return found


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'weir.sqlite3'}"
    make: Callable[[], str] = request.getfixturevalue("postgres_database")
    return make()


def test_the_previous_database_is_taken_through_while_its_hub_takes_readings(
    previous: Previous, empty_url: str, folder: Path
) -> None:
    previous.manage(empty_url, "migrate", "--verbosity", "0")
    store, ledger, copy = Store(empty_url), folder / "ledger", folder / "copy"
    migrations = store.number(COUNT)
    tokens = store.write_tokens(folder / "tokens", DEVICES)
    hub = Hub(store, folder, options=OPTIONS)
    hub.command = previous.command("runhub")
    with hub, Simulators(hub, tokens, "run", *STEADY, "--ledger", str(ledger)) as fleet:
        wait_for_more(store)
        manage(store.url, "backup", str(copy))  # by this Weir, before it changes anything
        manage(store.url, "migrate", "--verbosity", "0")
        assert store.number(COUNT) > migrations
        wait_for_more(store)  # the previous hub knows nothing of it, and goes on
        assert hub.terminate() == 0
        hub.command = command("runhub")
        hub.start()
        wait_until_each_goes_on(store)
        assert fleet.stop()["dropped"] == 0
        assert hub.terminate() == 0
        assert "Traceback" not in hub.log
    report = reconciled(store, ledger)
    assert differences(report) == ZEROS, report["examples"]
    if not store.is_sqlite:  # there a copy is its file, of whatever time
        manage(store.url, "restore", str(copy), "--replace")
        assert store.number(COUNT) == migrations
        manage(store.url, "migrate", "--verbosity", "0")
        checked(store)


def test_two_that_migrate_at_once_do_it_once(empty_url: str) -> None:
    programs = [
        subprocess.Popen(
            command("migrate", "--verbosity", "0"), env=environment(empty_url, {}), cwd=ROOT
        )
        for _ in range(2)
    ]
    assert [program.wait(120) for program in programs] == [0, 0]
    assert Store(empty_url).number(COUNT) > 20


def test_migrations_wait_for_what_uses_a_table_and_let_hubs_pass(postgres_store: Store) -> None:
    manage(postgres_store.url, "migrate", "devices", "0001", "--verbosity", "0")
    migrations = postgres_store.number(COUNT)
    with psycopg.connect(postgres_store.url) as dumping:
        dumping.execute("LOCK TABLE devices_series IN ACCESS SHARE MODE")
        migrating = subprocess.Popen(
            command("migrate", "--verbosity", "0"),
            env=environment(postgres_store.url, {}),
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            waits = (
                "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
            )
            wait_until(lambda: postgres_store.number(waits), "the migration waits for the table")
            # As a batch does with a new metric; it comes behind the migration, which gives way.
            postgres_store.rows(
                "INSERT INTO devices_series (device_id, metric, kind, created_at)"
                " SELECT 0, 'm', 0, now() WHERE false"
            )
            assert postgres_store.number(COUNT) == migrations
            assert migrating.stderr is not None
            assert "letting hubs pass" in migrating.stderr.readline()
        finally:
            dumping.rollback()
            migrating.communicate(timeout=120)
    assert migrating.returncode == 0
    assert postgres_store.number(COUNT) > migrations
