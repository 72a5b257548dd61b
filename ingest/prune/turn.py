"""A short transaction among the writers' own, and the pause after it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

from ingest.storage.postgres_sealing import LOCK_TIMEOUT

# SQLite's writers look again after 1, 2, 5, 10, 15, 20 ms whether its lock is free: who takes it
# again at once keeps them out for longer than it holds it.
PAUSE_S: Final = 0.03
PAUSES: Final = 2.0  # of what a turn took: so it has a third of the time at most
TRIES: Final = 300  # on PostgreSQL of 0.1 s each, on SQLite of what its own patience is

Rest = Callable[[float], None]  # is told for how many seconds the turn had the database
T = TypeVar("T")


class Busy(Exception):
    """The database is never free; the message is one sentence for the operator."""


@contextmanager
def without_syncs() -> Iterator[None]:
    """Turns that need not be on the disk when they end: what a power cut takes is done again.

    Each stands in the log before what comes after it, so none is lost that something rests on.
    """
    on, off = (
        ("PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL")
        if connection.vendor == "sqlite"
        else ("RESET synchronous_commit", "SET synchronous_commit = off")
    )
    with connection.cursor() as cursor:
        cursor.execute(off)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(on)


@contextmanager
def a_turn() -> Iterator[CursorWrapper]:
    """A transaction; OperationalError where a lock was not to be had in a moment."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        yield cursor


def take_turn(step: Callable[[], T], rest: Rest, tries: int = TRIES) -> T:
    """Do one step, as soon as it can be done, and rest after it. Raises Busy."""
    for _ in range(tries):
        began_s = time.perf_counter()
        try:
            done = step()
        except OperationalError as error:
            if not _is_locked(error):
                raise
            rest(time.perf_counter() - began_s)
            continue
        rest(time.perf_counter() - began_s)
        return done
    raise Busy("the database is held by others all the time: try again when less is under way")


def pause(held_s: float) -> None:
    time.sleep(max(PAUSE_S, PAUSES * held_s))


def _is_locked(error: OperationalError) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return state in {"55P03", "40P01"} or "database is locked" in str(error)
