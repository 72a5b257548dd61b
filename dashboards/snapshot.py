"""One unchanging view of the database, which several statements of a query share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper

_BEGIN = {
    # Django's own would be IMMEDIATE and hold up the writer.
    "sqlite": "BEGIN DEFERRED",
    # Compiling a statement is begun on an estimate of its rows that is no better than a guess here.
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off",
}


@contextmanager
def one_snapshot() -> Iterator[CursorWrapper]:
    """A cursor whose statements all see the same state of the database."""
    with connection.cursor() as cursor:
        if connection.in_atomic_block:  # a caller's transaction decides
            yield cursor
            return
        cursor.execute(_BEGIN[connection.vendor])
        try:
            yield cursor
        finally:
            cursor.execute("ROLLBACK")
