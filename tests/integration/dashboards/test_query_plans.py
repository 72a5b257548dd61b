"""What is asked about readings is searched for by key, in databases that hold many.

The plans are those of the statements as they were executed, with statistics of the rows there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from django.db import connection

from dashboards import latest, queries
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dashboards.queries import Tail
from devices.models import Device, Kind, Series
from ingest.fields import to_us
from ingest.storage.postgres_partitions import make_ahead
from tests.integration.engine import engine, engine_url  # noqa: F401
from tests.integration.stored import set_watermark

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SEALED_TO = NOW - timedelta(minutes=1)
SERIES, EACH_READINGS, EVERY_S = 60, 1_000, 1_200  # a fortnight of each
RECENT_EACH = 60

Statement = tuple[str, Any]


@pytest.fixture
def fleet(engine: str) -> list[Series]:  # noqa: F811
    device = Device.objects.create(uid="roof")
    Series.objects.bulk_create(
        Series(device=device, metric=f"m{n}", kind=Kind.TEXT if n < 5 else Kind.NUMBER)
        for n in range(SERIES)
    )
    set_watermark(SEALED_TO)
    fill = _fill_postgresql if engine == "postgresql" else _fill_sqlite
    fill()
    return list(Series.objects.exclude(kind=Kind.TEXT).select_related("device").order_by("id"))


def _fill_sqlite() -> None:
    numbers = "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {} - 1)"
    sealed_us = to_us(SEALED_TO)
    of_each = f"{sealed_us} - 1000000 - n * {EVERY_S}000000, n FROM devices_series CROSS JOIN n"
    rollups = "SELECT id, {0}, time - time % {0}000000, 1, n, n, n, n, time, n, time FROM"
    with connection.cursor() as cursor:
        for table in ("ingest_sealed", "ingest_textreading"):
            numbered = f"{numbers.format(EACH_READINGS)} INSERT INTO {table}"
            cursor.execute(f"{numbered} (series_id, time, value) SELECT id, {of_each}")
        cursor.execute(
            f"{numbers.format(RECENT_EACH)} INSERT INTO ingest_recent (series_id, time, value)"
            f" SELECT id, {sealed_us} + n * 1000000, n FROM devices_series CROSS JOIN n"
        )
        for step_s in (60, 3600):
            times = f"(SELECT id, {of_each.replace(', n FROM', ' AS time, n FROM', 1)})"
            cursor.execute(
                f"{numbers.format(EACH_READINGS)} INSERT OR IGNORE INTO ingest_rollup"
                f" {rollups.format(step_s)} {times}"
            )
        cursor.execute("ANALYZE")


def _fill_postgresql() -> None:
    connected = cast(psycopg.Connection, connection.connection)
    make_ahead(connected, NOW - timedelta(weeks=1))  # last week and this one
    of_each = (
        f"timestamptz '{SEALED_TO}' - interval '1 s' - n * interval '{EVERY_S} s' AS time, n"
        f" FROM devices_series CROSS JOIN generate_series(0, {EACH_READINGS - 1}) AS n"
    )
    with connection.cursor() as cursor:
        for table in ("ingest_reading", "ingest_textreading"):
            cursor.execute(f"INSERT INTO {table} (series_id, time, value) SELECT id, {of_each}")
        cursor.execute(
            "INSERT INTO ingest_reading (series_id, time, value)"
            f" SELECT id, timestamptz '{SEALED_TO}' + n * interval '1 s', n"
            f" FROM devices_series CROSS JOIN generate_series(0, {RECENT_EACH - 1}) AS n"
        )
        for unit, step_s in (("minute", 60), ("hour", 3600)):
            cursor.execute(
                f"INSERT INTO ingest_rollup SELECT id, {step_s}, date_trunc('{unit}', time), 1,"
                f" n, n, n, n, time, n, time FROM (SELECT id, {of_each}) AS r"
                " ON CONFLICT DO NOTHING"
            )
        cursor.execute("ANALYZE")


def executed(call: Callable[[], object]) -> list[Statement]:
    """The queries that `call` makes, as they were executed."""
    found: list[Statement] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH", "INSERT")):
            found.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        call()
    return found


def scanned_whole(statement: Statement) -> list[str]:
    """The lines of its plan that read all of a table or index of what is stored."""
    sql, params = statement
    postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        explain = "EXPLAIN (FORMAT JSON)" if postgresql else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {sql}", params)
        if not postgresql:
            return [line for *_, line in cursor.fetchall() if _is_scan(line)]
        (found,) = cursor.fetchone()
        # Of a partition that is empty there is nothing to search for.
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages = 0")
        empty = {name for (name,) in cursor.fetchall()}
    (plan,) = json.loads(found) if isinstance(found, str) else found
    return [
        str(node)
        for node in _nodes(plan["Plan"])
        if _reads_all(node) and node.get("Relation Name") not in empty
    ]


# What is asked for: the temporary table of it, or the list; what was grouped already; the one row
# of the line's state.
ASKED = ("b", "g", "s", "json_each", "split", "l")


def _is_scan(line: str) -> bool:
    """`SEARCH … USING … (series_id=? …)` is none; without a condition it reads to an end."""
    verb, *words = line.split()
    return (verb == "SCAN" and words[0] not in ASKED) or (verb == "SEARCH" and "?" not in line)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _reads_all(node: dict[str, Any]) -> bool:
    if node["Node Type"] == "Bitmap Heap Scan":  # reads what the index scan within it found
        return False
    read = node.get("Relation Name", "") + node.get("Index Name", "")
    if not read.startswith("ingest_") or read.startswith("ingest_linestate"):
        return False
    return "series_id" not in node.get("Index Cond", "")


def asked_of(series: list[Series]) -> dict[str, Callable[[], object]]:
    """What people look at, by name."""

    def history(some: list[Series], length_us: int, points: int) -> Callable[[], object]:
        start = NOW - timedelta(microseconds=length_us + 12_345_678)
        return lambda: queries.history(some, start, NOW, points)

    tails = [
        Tail(one.pk, step_us, "Asia/Kolkata", to_us(NOW) - 5_000_000)
        for one in series
        for step_us in (SECOND_US, MINUTE_US, DAY_US)
    ]
    return {
        "seconds": history(series[:1], 5 * MINUTE_US, 600),
        "seconds of many": history(series[:50], 5 * MINUTE_US, 600),
        "minutes": history(series[:1], 4 * HOUR_US, 600),
        "hours": history(series[:1], 12 * DAY_US, 600),
        "days of many": history(series[:50], 12 * DAY_US, 12),
        "tails": lambda: queries.tails(tails, to_us(NOW)),
        "latest": lambda: latest.latest(list(Series.objects.all())),
    }


def test_nothing_that_people_look_at_reads_a_whole_table(fleet: list[Series]) -> None:
    for name, call in asked_of(fleet).items():
        for statement in executed(call):
            if "ingest_" in statement[0]:
                assert scanned_whole(statement) == [], (name, statement)


def test_hundreds_of_tails_take_a_few_statements(fleet: list[Series]) -> None:
    assert len(executed(asked_of(fleet)["tails"])) <= 6


def test_a_plan_that_does_read_a_whole_table_is_found(fleet: list[Series]) -> None:
    assert scanned_whole(("SELECT sum(value) FROM ingest_reading", []))
    assert scanned_whole(("SELECT sum(count) FROM ingest_rollup", []))
