"""One unchanging view of the database, which several statements of a query share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextmanager
def one_snapshot() -> Iterator[CursorWrapper]:
    """A cursor whose statements all see the same state of the database.

    On SQLite a deferred BEGIN: Django's own would be IMMEDIATE and hold up the writer.
    """
    with connection.cursor() as cursor:
        if connection.in_atomic_block:  # a caller's transaction decides
            yield cursor
            return
        postgresql = connection.vendor == "postgresql"
        cursor.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if postgresql else "BEGIN DEFERRED"
        )
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")
