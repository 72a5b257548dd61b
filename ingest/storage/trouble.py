"""What a database may answer instead of doing it, in words that both engines share.

The engines sort their errors into these (`sqlite_errors`, `postgres_errors`); the writer acts on
the class alone and tells people the reason.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why nothing can be written now, in general words: anybody may ask `/readyz`."""

    UNREACHABLE = "the database does not answer"
    LOCKED = "another program holds the database"
    FULL = "the disk is full"
    READ_ONLY = "the database is read-only"
    DISK = "the disk fails"
    MEMORY = "the memory is full"
    SCHEMA = "the database has not the tables of this Weir"
    UNSAFE = "the database would lose what is acked in a power cut"
    DAMAGED = "the database is damaged"
    OTHER = "the database refuses to write"


# A connection lives on after these; after any other it may be dead, or know the past only: opened
# on a read-only database it stays read-only for ever.
LEAVES_CONNECTION = frozenset({Reason.LOCKED, Reason.FULL, Reason.MEMORY})


class Trouble(Exception):
    """The database could not do it now: nothing was committed, the same may succeed later."""

    def __init__(self, message: str, reason: Reason = Reason.OTHER) -> None:
        super().__init__(message)
        self.reason = reason


class Collision(Trouble):
    """Another transaction was in the way: the same will do, at once."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason.LOCKED)


class OutcomeUnknown(Trouble):
    """COMMIT was not answered, or its sync failed: it happened, or it did not."""

    def __init__(self, message: str, reason: Reason = Reason.UNREACHABLE) -> None:
        super().__init__(message, reason)


class Damaged(Trouble):
    """What is stored cannot be read as it was written: a person must look before more is done.

    Trying again would not help, and might harm what can still be saved.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, Reason.DAMAGED)


class Poison(Exception):
    """The database refuses what it was given, and would refuse it again."""
