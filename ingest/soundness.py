"""Looks a whole database over, by its own means and by Weir's, and changes nothing.

Each part yields one sentence for each thing that is wrong, as it is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError, connection

from devices.models import Device
from ingest.comparison import Finding
from ingest.ledger import TEXT
from ingest.retention import KeptFrom
from ingest.stored import (
    DEVICES_AT_ONCE,
    KnownSeries,
    folding,
    hold_old_hours,
    horizons_of,
    iso,
    one_snapshot,
    rows_by_series,
    series_of,
    watermark,
)

MOST_FINDINGS: Final = 100  # of `integrity_check`: of a file that is beyond help there are millions

_TABLES: Final = """
SELECT c.oid, c.relname FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY 2
"""
_INDEXES: Final = """
SELECT c.oid, c.relname FROM pg_class c JOIN pg_am a ON a.oid = c.relam
WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relnamespace = current_schema()::regnamespace
ORDER BY 2
"""


def checks_itself() -> str:
    """What `database_findings` has looked at, when it ends; in a few words."""
    if connection.vendor == "sqlite":
        return "every page and index, and every foreign key"
    return "every table and index, by amcheck" if _has_amcheck() else "nothing: amcheck is missing"


def database_findings() -> Iterator[str]:
    """What the database finds wrong with itself."""
    if connection.vendor == "sqlite":
        yield from _sqlite_findings()
    elif _has_amcheck():
        yield from _postgresql_findings()


def rollup_findings() -> Iterator[str]:
    """Rollups that are not what their readings make, of every series of numbers."""
    with one_snapshot():
        until = watermark()
        uids = list(Device.objects.order_by("uid").values_list("uid", flat=True))
        for start in range(0, len(uids), DEVICES_AT_ONCE):
            some = uids[start : start + DEVICES_AT_ONCE]
            known = [series for series in series_of(some) if series.kind != TEXT]
            horizons = horizons_of(some)
            for series, rows in rows_by_series(known, some, text=False):
                kept = horizons.get(series.id, KeptFrom())
                findings: list[Finding] = []
                hold_old_hours(series.id, kept, findings.append)
                for _ in folding(series.id, kept, until, findings.append).passing(rows):  # type: ignore[arg-type]
                    pass
                yield from (_said(series, finding) for finding in findings)


def _said(series: KnownSeries, finding: Finding) -> str:
    return f"{series.device} {series.metric} {iso(finding.time_us)}: {finding.text}"


def _sqlite_findings() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA integrity_check({MOST_FINDINGS})")
        yield from (text for (text,) in cursor.fetchall() if text != "ok")
        cursor.execute("PRAGMA foreign_key_check")
        for table, row, parent, _ in cursor.fetchmany(MOST_FINDINGS):
            yield f"row {row} of {table} refers to a row of {parent} that is not there"


def _postgresql_findings() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        for oid, table in cursor.fetchall():
            cursor.execute("SELECT blkno, msg FROM verify_heapam(%s::oid::regclass)", [oid])
            yield from (f"{table}, block {block}: {text}" for block, text in cursor.fetchall())
        cursor.execute(_INDEXES)
        for oid, index in cursor.fetchall():
            try:
                cursor.execute("SELECT bt_index_check(%s::oid::regclass, true)", [oid])
            except DatabaseError as error:  # so it tells what it finds
                yield f"{index}: {' '.join(str(error).split())}"


def _has_amcheck() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")
        return cursor.fetchone() is not None
