"""Weeks in the default partition get tables of their own, while hubs write, seal and erase."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from devices.models import Device
from ingest.erasure import erase_span
from ingest.fields import from_us
from ingest.soundness import rollup_findings
from ingest.storage.postgres_partitions import make_ahead, name_of, partitions
from ingest.storage.postgres_resettling import Resettling, Unsettled
from tests.integration.storage.stage import (
    Hub,
    Stage,
    at,
    postgres_parameters,
    run,
    series_of,
    stored,
)

WEEK_S = 7 * 24 * 3600
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)  # of the stage's T0; the weeks here are long before it
LONG_AGO = -30  # weeks
LEAST = 4

Value = tuple[float, float]


def week(number: int, count: int = 6, value: float = 1.0) -> list[Value]:
    """Readings of the week `number` weeks from T0's, an hour apart."""
    return [(number * WEEK_S + hour * 3600, value + hour) for hour in range(count)]


def connect() -> psycopg.Connection:
    return psycopg.connect(**postgres_parameters(), autocommit=True)


@pytest.fixture
def hub(postgres_stage: Stage) -> Hub:
    return postgres_stage.hub()


@pytest.fixture
def device(postgres_stage: Stage) -> Device:
    return postgres_stage.device()


@pytest.fixture
def resettling(hub: Hub) -> Iterator[Callable[[], Resettling]]:
    """A function that begins another run; each is closed at the end, as if it had died."""
    made: list[Resettling] = []

    def another() -> Resettling:
        made.append(Resettling("ingest_reading", connect, least=LEAST, slice_readings=4))
        return made[-1]

    yield another
    for one in made:
        one.close()
    with connect() as db:  # weeks are made once in a database: the next test wants its own
        for partition in partitions(db):
            db.execute(f"DROP TABLE {partition.name}")


def names() -> set[str]:
    with connect() as db:
        return {partition.name for partition in partitions(db)}


def in_default() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ingest_reading_default")
        return int(cursor.fetchone()[0])


def week_name(number: int) -> str:
    return name_of("ingest_reading", MONDAY + timedelta(weeks=number))


def leftovers() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '_(changes|resettled|rest)$'"
            " UNION ALL SELECT tgname FROM pg_trigger WHERE tgname = 'noted'"
            " UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE '%_noted'"
        )
        return [name for (name,) in cursor.fetchall()]


def is_vacuumed() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reloptions FROM pg_class WHERE relname = 'ingest_reading_default'")
        return bool(cursor.fetchone() == (None,))


def test_a_check_that_an_operator_put_on_readings_is_no_hindrance(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(LONG_AGO)))
    with connect() as db:
        db.execute("ALTER TABLE ingest_reading ADD CONSTRAINT operators CHECK (value <> 666)")
    try:
        assert resettling().run()
        assert week_name(LONG_AGO) in names()
        assert stored(device, "temperature") == week(LONG_AGO)
    finally:
        with connect() as db:
            db.execute("ALTER TABLE ingest_reading DROP CONSTRAINT operators")


def test_weeks_with_many_readings_get_tables_and_the_others_stay(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    sent = week(LONG_AGO) + week(LONG_AGO + 1) + week(LONG_AGO + 2, count=2)
    hub.store(device, run("temperature", sent))
    assert in_default() == len(sent)
    assert resettling().run()
    assert {week_name(LONG_AGO), week_name(LONG_AGO + 1)} <= names()
    assert week_name(LONG_AGO + 2) not in names()
    assert in_default() == 2
    assert stored(device, "temperature") == sent
    assert leftovers() == []


def test_a_reading_far_off_in_time_lands_and_its_week_is_made_later(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(-3000)))
    with connect() as db:
        make_ahead(db, MONDAY + timedelta(weeks=-3000))
    assert week_name(-3000) not in names()  # in its way are its readings
    assert resettling().run()
    assert week_name(-3000) in names()
    settlement = hub.store(device, run("temperature", week(-3000, count=8)))
    assert (settlement.stored, settlement.duplicate) == (2, 6)


def test_what_is_written_erased_and_sealed_meanwhile_is_as_if_nothing_were_moved(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(LONG_AGO, count=20)))
    hub.seal_all(WEEK_S)
    moving = resettling()
    assert moving.begin()
    moving.copy_some()
    late = [(seconds + 60, value) for seconds, value in week(LONG_AGO, count=20)]
    hub.store(device, run("temperature", late))
    hub.store(device, run("other", week(LONG_AGO + 5)))  # of a week that had none
    gone_s = late[3][0]
    erase_span(series_of(device, "temperature"), from_us(at(0)), from_us(at(1)))  # of nothing
    erase_span(series_of(device, "temperature"), from_us(at(gone_s)), from_us(at(gone_s + 1)))
    while moving.copy_some():
        pass
    hub.store(device, run("temperature", [(gone_s + 2, 7.0)]))
    while moving.follow():
        pass
    hub.store(device, run("temperature", [(gone_s + 3, 8.0)]))
    assert moving.end()
    expected = sorted(
        [*week(LONG_AGO, count=20), *late[:3], *late[4:], (gone_s + 2, 7.0), (gone_s + 3, 8.0)]
    )
    assert stored(device, "temperature") == expected
    assert stored(device, "other") == week(LONG_AGO + 5)
    assert list(rollup_findings()) == []
    again = hub.store(device, run("temperature", expected))
    assert (again.stored, again.duplicate) == (0, len(expected))


STEPS: list[Callable[[Resettling], object]] = [
    lambda moving: None,
    lambda moving: moving.begin(),
    lambda moving: moving.copy_some(),
    lambda moving: moving.copy_some(),
    lambda moving: moving.follow(),
]


@pytest.mark.parametrize("steps", range(len(STEPS) + 1))
def test_one_that_dies_after_any_step_has_changed_nothing_and_the_next_one_succeeds(
    steps: int, hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(LONG_AGO)))
    died = resettling()
    for step in STEPS[:steps]:
        step(died)
    died.close()
    assert stored(device, "temperature") == week(LONG_AGO)
    hub.store(device, run("temperature", [(LONG_AGO * WEEK_S + 1, 5.0)]))
    assert resettling().run()
    assert len(stored(device, "temperature")) == 7
    assert leftovers() == []
    assert is_vacuumed()


def test_two_runs_at_once_are_one(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(LONG_AGO)))
    first = resettling()
    assert first.begin()
    with pytest.raises(Unsettled, match="Another run"):
        resettling().begin()


def test_it_waits_for_a_query_that_began_before_and_gives_way_where_that_is_too_long(
    hub: Hub,
    device: Device,
    resettling: Callable[[], Resettling],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.storage.postgres_resettling.OLDER_QUERIES_S", 0.05)
    hub.store(device, run("temperature", week(LONG_AGO)))
    moving = resettling()
    assert moving.begin()
    with connect() as db:
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        db.execute("SELECT 1")  # its snapshot is older than any copy
        while moving.copy_some():
            pass
        assert not moving.end()
        found = db.execute("SELECT count(*) FROM ingest_reading").fetchone()
        assert found == (6,)
        db.execute("COMMIT")
    hub.store(device, run("temperature", [(LONG_AGO * WEEK_S + 1, 5.0)]))  # nobody is held up
    assert moving.end()
    assert len(stored(device, "temperature")) == 7


def test_one_that_gives_up_leaves_everything_as_it_was(
    hub: Hub,
    device: Device,
    resettling: Callable[[], Resettling],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"OLDER_QUERIES_S": 0.05, "TRIES": 2, "PAUSE_S": 0.01}.items():
        monkeypatch.setattr(f"ingest.storage.postgres_resettling.{name}", value)
    hub.store(device, run("temperature", week(LONG_AGO)))
    with connect() as db:
        db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        db.execute("SELECT 1")
        with pytest.raises(Unsettled, match="nothing was changed"):
            resettling().run()
    assert leftovers() == []
    assert is_vacuumed()
    assert stored(device, "temperature") == week(LONG_AGO)


def test_a_batch_under_way_is_not_cut_in_two(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    hub.store(device, run("temperature", week(LONG_AGO)))
    moving = resettling()
    assert moving.begin()
    while moving.copy_some():
        pass
    with connect() as db:
        db.execute("BEGIN")
        db.execute("SELECT pg_advisory_xact_lock_shared(%s)", [0x57454952])
        series = series_of(device, "temperature").pk
        moment = from_us(at(LONG_AGO * WEEK_S + 1))
        db.execute("INSERT INTO ingest_reading VALUES (%s, %s, 5)", [series, moment])
        assert not moving.end()
        db.execute("COMMIT")
    assert moving.end()
    assert len(stored(device, "temperature")) == 7


def test_the_command_says_what_it_did(postgres_stage: Stage, hub: Hub, device: Device) -> None:
    hub.store(device, run("temperature", week(LONG_AGO)))
    said = StringIO()
    call_command("partitions", least=LEAST, stdout=said)
    assert "ingest_reading: 1 weeks have tables of their own now." in said.getvalue()
    assert "ingest_textreading: no week" in said.getvalue()
    said = StringIO()
    call_command("partitions", "--list", stdout=said)
    assert f"{week_name(LONG_AGO)}: FOR VALUES FROM" in said.getvalue()


def test_the_command_says_in_one_sentence_that_another_is_at_it(
    hub: Hub, device: Device, resettling: Callable[[], Resettling]
) -> None:
    assert not resettling().begin()
    with pytest.raises(CommandError, match="Another run is at it"):
        call_command("partitions", stdout=StringIO())


def test_sqlite_has_nothing_to_do(stage: Stage) -> None:
    if stage.vendor == "postgresql":
        pytest.skip("PostgreSQL has partitions")
    said = StringIO()
    call_command("partitions", stdout=said)
    assert said.getvalue() == "SQLite has no partitions: there is nothing to do.\n"
