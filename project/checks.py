"""What must hold before a hub may promise that an ack means committed, checked at its start.

`start_problems` asks the database itself; Django's `check --database default` and `migrate` show
the same. `exposure_problems` looks at where it would listen, and `claim_database` keeps a second
hub off a SQLite file.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection as default_connection
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from project.address import is_loopback
from project.options import unknown_variables

# RETURNING came with 3.35 (March 2021), the newest that the line needs.
_OLDEST_SQLITE = (3, 35, 0)
# PRAGMA synchronous answers with a number: 2 is FULL, 3 is EXTRA.
_SYNCED = {2, 3}


class DatabaseClaimed(Exception):
    """Another hub has this SQLite file; the message is one sentence for the operator."""


def start_problems(connection: BaseDatabaseWrapper) -> list[str]:
    """Why a hub must not start on this database: one sentence each, none if it may."""
    if connection.vendor == "sqlite":
        return _sqlite_problems(connection)
    if connection.vendor == "postgresql":
        return _postgresql_problems(connection)
    return [f"DATABASE_URL names {connection.vendor}: Weir runs on SQLite and on PostgreSQL."]


def exposure_problems(host: str) -> list[str]:
    """Why a hub must not listen on `host`: one sentence each, none if it may."""
    problems = []
    if settings.DEBUG and not is_loopback(host):
        problems.append(
            "WEIR_DEBUG shows settings and source to whoever meets an error:"
            f" it is for 127.0.0.1, not for {host}."
        )
    if settings.OPTIONS.https and not settings.OPTIONS.trusted_proxies:
        problems.append(
            "WEIR_HTTPS needs the address of the proxy that ends TLS in WEIR_TRUSTED_PROXIES:"
            " pages would be redirected for ever."
        )
    return problems


def claim_database() -> TextIO | None:
    """Keep other hubs off the SQLite file for as long as the file returned stays open.

    None on PostgreSQL, where many hubs may run, and for a database in memory. Raises
    DatabaseClaimed. The lock ends with the process, however it ends.
    """
    name = str(default_connection.settings_dict["NAME"])
    if default_connection.vendor != "sqlite" or ":memory:" in name or "mode=memory" in name:
        return None
    path = Path(name).resolve()
    file = path.with_name(f"{path.name}.hub.lock").open("a+", encoding="ascii")
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
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


@register()
def check_variables(**kwargs: Any) -> list[CheckMessage]:
    return [
        checks.Warning(f"{name} is set, but it is no setting of Weir.", id="weir.W001")
        for name in unknown_variables()
    ]


@register(Tags.database)
def check_databases(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(problem, id="weir.E001")
        for alias in databases or []
        for problem in start_problems(connections[alias])
    ]


def _sqlite_problems(connection: BaseDatabaseWrapper) -> list[str]:
    problems = []
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        problems.append(
            f"Python's SQLite is {sqlite3.sqlite_version}: Weir needs {oldest} or newer."
        )
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        journal = cursor.fetchone()[0]
        cursor.execute("PRAGMA synchronous")
        synced = cursor.fetchone()[0] in _SYNCED
    if journal not in {"wal", "memory"}:
        problems.append(
            f"SQLite keeps a journal of mode {journal!r}, not 'wal':"
            " its folder must be on a local file system that this user may write to."
        )
    if not synced:
        problems.append("SQLite does not sync each commit: PRAGMA synchronous must be FULL.")
    return problems


def _postgresql_problems(connection: BaseDatabaseWrapper) -> list[str]:
    # In a transaction: what is shown of the isolation is what a batch gets.
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        shown = {}
        for name in ("fsync", "synchronous_commit", "transaction_isolation"):
            cursor.execute(f"SHOW {name}")
            shown[name] = cursor.fetchone()[0]
    problems = []
    if shown["fsync"] != "on":
        problems.append("PostgreSQL runs with fsync = off: a power cut would lose acked readings.")
    # Each of its other values waits for the local disk.
    if shown["synchronous_commit"] == "off":
        problems.append(
            "PostgreSQL runs with synchronous_commit = off: a crash would lose acked readings."
        )
    if shown["transaction_isolation"] != "read committed":
        problems.append(
            f"PostgreSQL's default isolation is {shown['transaction_isolation']!r}:"
            " Weir needs 'read committed' (default_transaction_isolation)."
        )
    return problems
