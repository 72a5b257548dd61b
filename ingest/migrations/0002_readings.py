"""The tables of readings and rollups, which are not the same on the two engines.

SQLite: `ingest_recent` is keyed by time, so that a batch of many series is one append;
`ingest_sealed` by series, so that one series over a long range is one stretch of pages; neither
has a rowid, the key is the table. `ingest_reading` joins them, each row from the one table that
the watermark says it is in.

PostgreSQL: one table, partitioned by time. Rows beyond the partitions made ahead land in the
default one. The BRIN index finds a span of time in a table whose key begins with the series.
"""

from typing import Any

from django.db import migrations

SQLITE = [
    """CREATE TABLE ingest_recent (
        time integer NOT NULL, series_id integer NOT NULL, value real NOT NULL,
        PRIMARY KEY (time, series_id)) WITHOUT ROWID""",
    """CREATE TABLE ingest_sealed (
        series_id integer NOT NULL, time integer NOT NULL, value real NOT NULL,
        PRIMARY KEY (series_id, time)) WITHOUT ROWID""",
    """CREATE TABLE ingest_textreading (
        series_id integer NOT NULL, time integer NOT NULL, value text NOT NULL,
        PRIMARY KEY (series_id, time)) WITHOUT ROWID""",
    """CREATE TABLE ingest_rollup (
        series_id integer NOT NULL, step_s integer NOT NULL, start integer NOT NULL,
        count integer NOT NULL, sum real NOT NULL, min real NOT NULL, max real NOT NULL,
        first real NOT NULL, first_time integer NOT NULL,
        last real NOT NULL, last_time integer NOT NULL,
        PRIMARY KEY (series_id, step_s, start)) WITHOUT ROWID""",
    """CREATE VIEW ingest_reading (series_id, time, value) AS
        SELECT series_id, time, value FROM ingest_sealed
        UNION ALL
        SELECT r.series_id, r.time, r.value FROM ingest_linestate s JOIN ingest_recent r
          ON r.time >= s.sealing_from AND (r.time >= s.sealing_to OR r.series_id > s.sealing_series)
        WHERE s.id = 1""",
]
# -62135596800000000 is the first microsecond of year 1: nothing is sealed yet.
SQLITE_STATE = """INSERT INTO ingest_linestate
    (id, sealing_from, sealing_to, sealing_series, catalogue)
    VALUES (1, -62135596800000000, -62135596800000000, 0, 0)"""
SQLITE_DOWN = [
    "DROP VIEW ingest_reading",
    "DROP TABLE ingest_rollup",
    "DROP TABLE ingest_textreading",
    "DROP TABLE ingest_sealed",
    "DROP TABLE ingest_recent",
]

POSTGRESQL = [
    """CREATE TABLE ingest_reading (
        series_id bigint NOT NULL, time timestamptz NOT NULL, value double precision NOT NULL,
        PRIMARY KEY (series_id, time)) PARTITION BY RANGE (time)""",
    "CREATE TABLE ingest_reading_default PARTITION OF ingest_reading DEFAULT",
    "CREATE INDEX ingest_reading_time ON ingest_reading USING brin (time)",
    """CREATE TABLE ingest_textreading (
        series_id bigint NOT NULL, time timestamptz NOT NULL, value text NOT NULL,
        PRIMARY KEY (series_id, time)) PARTITION BY RANGE (time)""",
    "CREATE TABLE ingest_textreading_default PARTITION OF ingest_textreading DEFAULT",
    """CREATE TABLE ingest_rollup (
        series_id bigint NOT NULL, step_s integer NOT NULL, start timestamptz NOT NULL,
        count bigint NOT NULL, sum double precision NOT NULL,
        min double precision NOT NULL, max double precision NOT NULL,
        first double precision NOT NULL, first_time timestamptz NOT NULL,
        last double precision NOT NULL, last_time timestamptz NOT NULL,
        PRIMARY KEY (series_id, step_s, start))""",
]
POSTGRESQL_STATE = """INSERT INTO ingest_linestate
    (id, sealing_from, sealing_to, sealing_series, catalogue)
    VALUES (1, '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00', 0, 0)"""
POSTGRESQL_DOWN = [
    "DROP TABLE ingest_rollup",
    "DROP TABLE ingest_textreading",
    "DROP TABLE ingest_reading",
]


def forwards(apps: Any, schema_editor: Any) -> None:
    sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in (*SQLITE, SQLITE_STATE) if sqlite else (*POSTGRESQL, POSTGRESQL_STATE):
        schema_editor.execute(statement)


def backwards(apps: Any, schema_editor: Any) -> None:
    sqlite = schema_editor.connection.vendor == "sqlite"
    for statement in SQLITE_DOWN if sqlite else POSTGRESQL_DOWN:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ingest", "0001_streams")]
    operations = [migrations.RunPython(forwards, backwards)]
