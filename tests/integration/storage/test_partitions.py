"""PostgreSQL's partitions: made ahead, week by week, for as long as a hub is up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection

from ingest.storage.postgres_partitions import make_ahead
from tests.integration.storage.stage import Stage, postgres_parameters

FAR_MONDAY = datetime(2031, 6, 2, tzinfo=UTC)


@pytest.fixture
def db(stage: Stage) -> psycopg.Connection:
    if stage.vendor != "postgresql":
        pytest.skip("SQLite has no partitions")
    return psycopg.connect(**postgres_parameters(), autocommit=True)


def partitions() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'ingest_reading'::regclass"
        )
        return {name for (name,) in cursor.fetchall()}


def test_this_week_and_the_next_are_made_and_a_week_later_the_one_after(
    db: psycopg.Connection,
) -> None:
    with db:
        again_us = make_ahead(db, FAR_MONDAY + timedelta(days=3))
        assert {"ingest_reading_20310602", "ingest_reading_20310609"} <= partitions()
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
