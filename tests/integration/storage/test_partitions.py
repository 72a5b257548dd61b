"""PostgreSQL's partitions: made ahead, week by week, for as long as a hub is up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from ingest.storage.postgres_partitions import make_ahead, name_of
from ingest.storage.postgres_partitions import partitions as listed
from tests.integration.storage.stage import Stage, postgres_parameters

FAR_MONDAY = datetime(2031, 6, 2, tzinfo=UTC)


@pytest.fixture
def db(stage: Stage) -> psycopg.Connection:
    if stage.vendor != "postgresql":
        pytest.skip("SQLite has no partitions")
    return connect()


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'ingest_reading'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def connect() -> psycopg.Connection:
    return psycopg.connect(**postgres_parameters(), autocommit=True)


def test_the_last_week_this_and_the_next_are_made_and_a_week_later_the_one_after(
    db: psycopg.Connection,
) -> None:
    with db:
        again_us = make_ahead(db, FAR_MONDAY + timedelta(days=3))
        made = {f"ingest_reading_{day}" for day in ("20310526", "20310602", "20310609")}
        assert made <= partitions()
        assert "ingest_reading_20310616" not in partitions()
        assert again_us == (FAR_MONDAY + timedelta(weeks=1)).timestamp() * 1_000_000
        make_ahead(db, FAR_MONDAY + timedelta(weeks=1))
        assert "ingest_reading_20310616" in partitions()


def test_a_week_that_the_default_partition_has_readings_of_stays_there(
    db: psycopg.Connection,
) -> None:
    monday = FAR_MONDAY + timedelta(weeks=10)
    with db:
        db.execute("INSERT INTO ingest_reading VALUES (1, %s, 2.5)", [monday + timedelta(days=1)])
        make_ahead(db, monday)
        assert f"ingest_reading_{monday:%Y%m%d}" not in partitions()
        assert f"ingest_reading_{monday + timedelta(weeks=1):%Y%m%d}" in partitions()
        db.execute("DELETE FROM ingest_reading")


def test_a_hub_that_stays_up_makes_them_as_time_passes(stage: Stage) -> None:
    if stage.vendor != "postgresql":
        pytest.skip("SQLite has no partitions")
    engine = stage.open_engine()
    monday = FAR_MONDAY + timedelta(weeks=20)
    engine.seal(round(monday.timestamp()) * 1_000_000)
    assert f"ingest_reading_{monday:%Y%m%d}" in partitions()


def test_hubs_that_start_together_make_each_once(db: psycopg.Connection) -> None:
    monday = FAR_MONDAY + timedelta(weeks=30)

    def start(_: int) -> int:
        with connect() as its_own:
            return make_ahead(its_own, monday)

    with db, ThreadPoolExecutor(4) as hubs:
        again = set(hubs.map(start, range(4)))
    assert again == {round((monday + timedelta(weeks=1)).timestamp()) * 1_000_000}
    assert f"ingest_reading_{monday:%Y%m%d}" in partitions()


def test_a_table_is_made_while_a_batch_and_a_query_are_under_way(db: psycopg.Connection) -> None:
    monday = FAR_MONDAY + timedelta(weeks=40)
    with db, connect() as other:
        make_ahead(db, FAR_MONDAY)
        other.execute("BEGIN")
        other.execute("INSERT INTO ingest_reading VALUES (1, %s, 2.5)", [FAR_MONDAY])
        other.execute("SELECT count(*) FROM ingest_reading WHERE time = %s", [FAR_MONDAY])
        make_ahead(db, monday)
        assert f"ingest_reading_{monday:%Y%m%d}" in partitions()
        other.execute("ROLLBACK")


def test_a_hub_that_cannot_have_the_lock_goes_on_and_looks_again_in_a_minute(
    db: psycopg.Connection,
) -> None:
    monday = FAR_MONDAY + timedelta(weeks=50)
    with db, connect() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE ingest_reading_default IN SHARE MODE")
        again_us = make_ahead(db, monday)
        assert again_us == (monday + timedelta(minutes=1)).timestamp() * 1_000_000
        other.execute("ROLLBACK")
        make_ahead(db, monday)
        assert f"ingest_reading_{monday:%Y%m%d}" in partitions()


def test_weeks_are_listed_with_their_bounds(db: psycopg.Connection) -> None:
    monday = FAR_MONDAY + timedelta(weeks=60)
    with db:
        make_ahead(db, monday)
        week = [one for one in listed(db) if one.end == monday]
        assert [one.table for one in week] == ["ingest_reading", "ingest_textreading"]
        assert [one.name for one in week] == [name_of(one.table, one.start) for one in week]
        assert week[0].start == monday - timedelta(weeks=1)


def test_a_check_that_an_operator_put_on_readings_holds_for_weeks_to_come(
    db: psycopg.Connection,
) -> None:
    monday = FAR_MONDAY + timedelta(weeks=70)
    with db:
        db.execute("ALTER TABLE ingest_reading ADD CONSTRAINT operators CHECK (value <> 666)")
        try:
            make_ahead(db, monday)
            assert name_of("ingest_reading", monday) in partitions()
            with pytest.raises(psycopg.errors.CheckViolation):
                db.execute("INSERT INTO ingest_reading VALUES (1, %s, 666)", [monday])
        finally:
            db.execute("ALTER TABLE ingest_reading DROP CONSTRAINT operators")


def test_a_table_that_postgresql_does_not_partition_is_left_alone(db: psycopg.Connection) -> None:
    monday = FAR_MONDAY + timedelta(weeks=80)
    with db:
        before = partitions()
        db.execute("ALTER TABLE ingest_reading RENAME TO was")
        try:
            db.execute("CREATE TABLE ingest_reading (LIKE was INCLUDING INDEXES)")
            make_ahead(db, monday)
            assert {one.table for one in listed(db)} == {"ingest_textreading"}
        finally:
            db.execute("DROP TABLE ingest_reading")
            db.execute("ALTER TABLE was RENAME TO ingest_reading")
        assert partitions() == before
