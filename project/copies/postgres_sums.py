"""What is in a PostgreSQL database: its tables, migrations, and sums by range of series.

All of it is SQL, so that the database that is restored is held against the manifest before what
was restored is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.backends.utils import CursorWrapper
from psycopg import sql

from project.copies.manifest import SERIES_A_RANGE, Manifest, Sum, Sums

SUMMED: Final = {
    "ingest_reading": "series_id, time, value",
    "ingest_textreading": "series_id, time, value",
    "ingest_rollup": "series_id, step_s, start, count, sum, min, max, first, first_time, last,"
    " last_time",
}
# Those that rows are in: the partitions, and not what they are partitions of.
TABLES: Final = """
SELECT relname FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1
"""
# A xor knows no order, and of rows with a key none are alike, so that none takes another away.
_SUM: Final = """
SELECT '{table}' AS kept, series_id / {series} AS range, count(*) AS rows,
       to_hex(bit_xor(hash_record_extended(ROW({columns}), 0))) AS checksum
FROM {table} GROUP BY 2
"""
SUMS: Final = " UNION ALL ".join(
    _SUM.format(table=table, columns=columns, series=SERIES_A_RANGE)
    for table, columns in SUMMED.items()
)
_COUNTS: Final = "SELECT {name} AS kept, 0 AS range, count(*) AS rows, '' AS checksum FROM {table}"
# Raises what is not as the manifest says: `kept` is a table, its range -1 for all of it.
_CHECK: Final = """
DO $check$
DECLARE told text;
BEGIN
  SELECT format('%s from series %s on is %s rows (%s), not %s (%s)', kept,
                range * {series}, found.rows, found.checksum, wanted.rows, wanted.checksum)
  INTO told FROM ({found}) AS found FULL JOIN ({wanted}) AS wanted USING (kept, range)
  WHERE found.rows IS DISTINCT FROM wanted.rows
     OR found.checksum IS DISTINCT FROM wanted.checksum LIMIT 1;
  IF told IS NOT NULL THEN RAISE EXCEPTION 'it is not what its manifest says: %', told; END IF;
END $check$;
"""


def tables(cursor: CursorWrapper) -> dict[str, int]:
    """The rows of each table, partitions each by itself."""
    cursor.execute(TABLES)
    names = [name for (name,) in cursor.fetchall()]
    if not names:
        return {}
    cursor.execute(_counts(names))
    return {name: rows for name, _, rows, _ in cursor.fetchall()}


def migrations(cursor: CursorWrapper) -> list[str]:
    cursor.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    return [f"{app}.{name}" for app, name in cursor.fetchall()]


def sums(cursor: CursorWrapper) -> Sums:
    cursor.execute(SUMS)
    return {
        (table, number): Sum(rows, checksum) for table, number, rows, checksum in cursor.fetchall()
    }


def check(manifest: Manifest) -> str:
    """SQL that fails where the database is not what the manifest says."""
    statements = [_check(SUMS, [(*key, *found) for key, found in manifest.sums.items()])]
    if manifest.tables:
        wanted = [(name, 0, rows, "") for name, rows in manifest.tables.items()]
        statements.append(_check(_counts(manifest.tables), wanted))
    return "".join(statements)


def _check(found: str, wanted: list[tuple[str, int, int, str]]) -> str:
    rows = [
        sql.SQL("({}, {}, {}, {})").format(*map(sql.Literal, row)).as_string() for row in wanted
    ]
    values = ", ".join(rows or ["(NULL::text, NULL::bigint, NULL::bigint, NULL::text)"])
    chosen = f"SELECT * FROM (VALUES {values}) AS line (kept, range, rows, checksum)"
    return _CHECK.format(
        found=found, wanted=f"{chosen} WHERE kept IS NOT NULL", series=SERIES_A_RANGE
    )


def _counts(names: Mapping[str, int] | list[str]) -> str:
    return " UNION ALL ".join(
        _COUNTS.format(name=sql.Literal(name).as_string(), table=sql.Identifier(name).as_string())
        for name in names
    )
