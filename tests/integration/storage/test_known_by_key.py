"""What was known of a batch is asked for by the key, however much is stored beside it."""

from __future__ import annotations

from django.db import connection

from tests.hubs import wait_until
from tests.integration.storage.stage import Stage, run

STORED, AGAIN = 60_000, 3_000


def read() -> tuple[int, int]:
    """Of the tables of readings: how often an index was asked, and how many rows were read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(idx_scan)::bigint, sum(seq_tup_read + idx_tup_fetch)::bigint"
            " FROM pg_stat_user_tables WHERE relname LIKE 'ingest_reading%'"
        )
        looks, rows = cursor.fetchone()
    return looks, rows


def test_what_is_stored_beside_is_not_read(postgres_stage: Stage) -> None:
    hub, device = postgres_stage.hub(), postgres_stage.device()
    hub.store(device, run("t", ((n / 100, n) for n in range(STORED))))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingest_reading")
    hub.engine.close()  # a connection that ends has told what it read
    looks, rows = read()
    settlement = hub.store(device, run("t", ((n / 5, n) for n in range(AGAIN))))
    assert settlement.duplicate + settlement.rejected == AGAIN
    hub.engine.close()
    wait_until(lambda: read()[0] > looks, "it has told")
    assert read()[1] - rows <= 2 * AGAIN
