"""Copies a PostgreSQL database beside running hubs, and puts a copy in its place.

    one snapshot ▶ pg_dump of it ▶ sums of it ▶ the dump read back and its rows counted
    one transaction: old tables dropped ▶ what pg_restore says ▶ disowned ▶ held against the sums

Both snapshots are PostgreSQL's, so a copy is one moment, and a restore happens or does not.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connection
from psycopg import sql

from ingest.stored import one_snapshot
from project.copies import CannotCopy, postgres_sums
from project.copies.folder import kept
from project.copies.manifest import Manifest
from project.copies.programs import Program, Server

FILE: Final = "weir.dump"
COMPRESSION: Final = 1
LOCK_TIMEOUT_MS: Final = 10_000
"""A migration that is under way may end in it; hubs hold nothing that a dump waits for."""
_EXTENSIONS: Final = ("citus", "timescaledb")
_COPIED: Final = re.compile(rb'COPY (?:"[^"]+"|\w+)\.(?:"([^"]+)"|(\w+)) \(')
_SESSION: Final = (
    *("--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"),
    *("--set=ON_ERROR_STOP=1", "--file=-"),
)

# The server's part is not ours to slow down: it is one thing at a time, and on one core.
_ALONE: Final = """
SET LOCAL idle_in_transaction_session_timeout = 0;
SET LOCAL max_parallel_workers_per_gather = 0
"""
# No hub that lived through the restore goes on with it: none holds an epoch that is valid, and each
# forgets the series it remembers, whose ids may be others' now.
_DISOWN: Final = """
UPDATE ingest_stream SET epoch =
  ('x' || left(replace(gen_random_uuid()::text, '-', ''), 12)
       || right(gen_random_uuid()::text, 3))::bit(60)::bigint;
UPDATE ingest_linestate SET catalogue = greatest(catalogue + 1, {now_us});
"""


def back_up(folder: Path, weir: str) -> Manifest:
    """Copy the default database into `folder`, and say what is in it. Raises CannotCopy."""
    dump = folder / FILE
    with _told("The database cannot be copied"):
        _check_plain()
        with one_snapshot(), connection.cursor() as cursor:
            cursor.execute(_ALONE)
            cursor.execute("SELECT pg_export_snapshot(), current_schema()")
            snapshot, schema = cursor.fetchone()
            moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            _dump(dump, snapshot, schema)
            migrations = postgres_sums.migrations(cursor)
            tables = postgres_sums.tables(cursor)
            sums = postgres_sums.sums(cursor)
    _check_readable(dump, tables)
    return Manifest(weir, "postgresql", moment, migrations, tables, sums, {FILE: kept(dump)})


def contents() -> dict[str, int]:
    """The rows of each table of the default database. Raises CannotCopy."""
    with _told("The database cannot be read"), connection.cursor() as cursor:
        return postgres_sums.tables(cursor)


def hubs_connected() -> int:
    """How many hubs write to the default database now. Raises CannotCopy."""
    with _told("The database cannot be read"), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'weir writer'"
        )
        return int(cursor.fetchone()[0])


def restore(manifest: Manifest, folder: Path) -> None:
    """Put the copy in the place of Weir's tables in the default database.

    The caller sees to it that no hub runs. Raises CannotCopy; then nothing was changed.
    """
    with _told("The database cannot be restored"):
        _check_plain()
        schema, server = _schema(), _server()
        connection.close()
    script = ("--no-owner", "--no-privileges", f"--schema={schema}", "--file=-")
    with (
        Program("pg_restore", *script, str(folder / FILE), tells=True) as dump,
        Program("psql", *_SESSION, server=server, reads=True) as session,
    ):
        with suppress(BrokenPipeError):  # it has ended, and says why
            session.input.write(_before(manifest).encode())
            shutil.copyfileobj(dump.output, session.input)
            dump.end()
            # Until here psql commits nothing: where this program is killed, the server rolls back.
            session.input.write(_after(manifest, schema).encode())
            session.input.close()
        session.end()


def _schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return str(cursor.fetchone()[0])


def _before(manifest: Manifest) -> str:
    models = apps.get_models(include_auto_created=True)
    tables = {model._meta.db_table for model in models} | manifest.tables.keys()
    names = ", ".join(sql.Identifier(name).as_string() for name in sorted(tables))
    return (
        f"BEGIN;\nSET client_min_messages = warning;\nSET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};\n"
        f"DROP TABLE IF EXISTS {names} CASCADE;\n"
    )


def _after(manifest: Manifest, schema: str) -> str:
    path = sql.Identifier(schema).as_string()
    return (
        f"SET search_path = {path};\nSET TIME ZONE 'UTC';\n{postgres_sums.check(manifest)}"
        f"{_DISOWN.format(now_us=time.time_ns() // 1_000)}COMMIT;\nANALYZE;\n"
    )


def _dump(dump: Path, snapshot: str, schema: str) -> None:
    with Program(
        "pg_dump",
        *("--format=custom", f"--compress={COMPRESSION}", f"--snapshot={snapshot}"),
        *("--no-owner", "--no-privileges", f"--schema={schema}"),
        *(f"--lock-wait-timeout={LOCK_TIMEOUT_MS}", f"--file={dump}", "--no-password"),
        server=_server(),
    ) as program:
        program.end()


def _check_readable(dump: Path, tables: dict[str, int]) -> None:
    """Read the dump as a restore would, and count the rows of each table."""
    found: Counter[str] = Counter()
    with Program("pg_restore", "--data-only", "--file=-", str(dump), tells=True) as script:
        name = ""
        for line in script.output:
            if name:
                if line == b"\\.\n":
                    name = ""
                else:
                    found[name] += 1
            elif copied := _COPIED.match(line):
                name = (copied[1] or copied[2]).decode()
        script.end()
    for name, rows in tables.items():
        if found[name] != rows:
            raise CannotCopy(f"The dump has {found[name]} rows of {name}, the database {rows}.")


def _check_plain() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extname FROM pg_extension WHERE extname = ANY(%s)", [[*_EXTENSIONS]])
        if found := cursor.fetchone():
            raise CannotCopy(
                f"The database uses {found[0]}, whose tables pg_dump does not copy as they are:"
                f" back it up by {found[0]}'s own means."
            )


def _server() -> Server:
    parameters: dict[str, Any] = connection.get_connection_params()
    return Server.of(parameters)


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise CannotCopy(f"{what}: {' '.join(str(error).split())}.") from error
