"""What must hold of the database before a hub may promise that an ack means committed.

`start_problems` asks the database itself, `schema_problems` whether its tables are there, and
`claim_database` keeps a second hub off a SQLite file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from ingest.storage.postgres_connection import weakness as postgres_weakness
from ingest.storage.sqlite_connection import weakness as sqlite_weakness
from project.databasefile import file_problem

# RETURNING came with 3.35 (March 2021), the newest that the line needs.
_OLDEST_SQLITE = (3, 35, 0)
# What a view or the ORM does not name (`ingest/migrations/0002_readings.py`).
SQLITE_TABLES = {"ingest_recent", "ingest_sealed"}


class DatabaseClaimed(Exception):
    """The SQLite file is not to be had alone; the message is one sentence for the operator."""


class DatabaseUnusable(Exception):
    """No hub may start on this database; the sentence says why."""


def take_database() -> TextIO | None:
    """Claim the database for a hub that starts, and look it over: see `claim_database`.

    Raises DatabaseUnusable. Its connection is closed again.
    """
    try:
        claim = claim_database()
        problems = start_problems(connection) or schema_problems(connection)
    except DatabaseClaimed as error:
        raise DatabaseUnusable(str(error)) from error
    except DatabaseError as error:
        reason = " ".join(str(error).split())  # drivers write several lines
        raise DatabaseUnusable(f"The database cannot be used: {reason}") from error
    finally:
        connection.close()
    if problems:
        raise DatabaseUnusable(" ".join(problems))
    return claim


def start_problems(connection: BaseDatabaseWrapper) -> list[str]:
    """Why a hub must not start on this database: one sentence each, none if it may."""
    problems = _problems(connection)
    if not problems and not settings.OPTIONS.unsafe_durability:
        weakness = durability_weakness(connection)
        problems += [f"{weakness}."] if weakness else []
    return problems


def durability_weakness(connection: BaseDatabaseWrapper) -> str | None:
    """Why a power cut might lose what a hub acks, None if it would not."""
    asked = (
        ("PRAGMA synchronous", "PRAGMA journal_mode")
        if connection.vendor == "sqlite"
        else ("SHOW fsync", "SHOW synchronous_commit")
    )
    with connection.cursor() as cursor:
        first, second = (cursor.execute(ask) and cursor.fetchone()[0] for ask in asked)
    if connection.vendor == "sqlite":
        return None if _in_memory(connection) else sqlite_weakness(first, second)
    return postgres_weakness(first, second)


def schema_problems(connection: BaseDatabaseWrapper) -> list[str]:
    """Why the tables are not those of this Weir: one sentence, none if they are."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return ["The database is not up to date: run `manage.py migrate` first."]
    with connection.cursor() as cursor:
        found = set(connection.introspection.table_names(cursor, include_views=True))
    wanted = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    if connection.vendor == "sqlite":
        wanted |= SQLITE_TABLES
    missing = sorted(wanted - found)
    if missing:
        return [f"The database was migrated, but has no {', '.join(missing)}: it is not whole."]
    return []


def _problems(connection: BaseDatabaseWrapper) -> list[str]:
    if connection.vendor == "sqlite":
        return _sqlite_problems(connection)
    if connection.vendor == "postgresql":
        return _postgresql_problems(connection)
    return [f"DATABASE_URL names {connection.vendor}: Weir runs on SQLite and on PostgreSQL."]


def claim_database() -> TextIO | None:
    """Keep other hubs off the SQLite file for as long as the file returned stays open.

    None on PostgreSQL, where many hubs may run, and for a database in memory. Raises
    DatabaseClaimed. The lock ends with the process, however it ends.
    """
    if connection.vendor != "sqlite" or _in_memory(connection):
        return None
    path = Path(connection.settings_dict["NAME"]).resolve()
    lock = path.with_name(f"{path.name}.hub.lock")
    try:
        file = lock.open("a+", encoding="ascii")
    except OSError as error:
        raise DatabaseClaimed(f"{lock} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise DatabaseClaimed(
            f"Another hub (process {holder or 'unknown'}) runs on {path}; SQLite takes one hub,"
            " PostgreSQL takes several."
        ) from None
    with suppress(OSError):  # on a full disk nobody is told who it is, but the lock holds
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


def _sqlite_problems(connection: BaseDatabaseWrapper) -> list[str]:
    told = sqlite_file_problem(connection)
    if told:
        return [told]  # and it is not opened
    problems = []
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        problems.append(
            f"Python's SQLite is {sqlite3.sqlite_version}: Weir needs {oldest} or newer."
        )
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        journal = cursor.fetchone()[0]
    if journal not in {"wal", "memory"}:
        problems.append(
            f"SQLite keeps a journal of mode {journal!r}, not 'wal':"
            " its folder must be on a local file system that this user may write to."
        )
    return problems


def sqlite_file_problem(connection: BaseDatabaseWrapper) -> str | None:
    """Why the file must not be used, in one sentence; it is read, and not opened."""
    if _in_memory(connection):
        return None
    path = Path(connection.settings_dict["NAME"]).absolute()
    ours = {
        model._meta.db_table
        for label in ("devices", "ingest")
        for model in apps.get_app_config(label).get_models()
    }
    others = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    return file_problem(path, ours | SQLITE_TABLES, others | {"django_migrations"})


def _postgresql_problems(connection: BaseDatabaseWrapper) -> list[str]:
    # In a transaction: what is shown of the isolation is what a batch gets.
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        isolation = cursor.fetchone()[0]
    problems = []
    if isolation != "read committed":
        problems.append(
            f"PostgreSQL's default isolation is {isolation!r}:"
            " Weir needs 'read committed' (default_transaction_isolation)."
        )
    return problems


def _in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether a SQLite database has no file: a test's."""
    name = str(connection.settings_dict["NAME"])
    return ":memory:" in name or "mode=memory" in name
