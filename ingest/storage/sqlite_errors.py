"""SQLite's result codes in the contract's words: the table, with its reasons.

An extended code is looked for first, then its primary code (the low byte).
https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3
from typing import Final

from ingest.storage.trouble import Damaged, Poison, Reason, Trouble

Verdict = Reason | type[Poison] | None  # None: a bug of ours, which trying again would not mend

_VERDICTS: Final[dict[int, Verdict]] = {
    # The file ends before a page that it must have: it was cut off.
    sqlite3.SQLITE_IOERR_SHORT_READ: Reason.DAMAGED,
    sqlite3.SQLITE_IOERR_CORRUPTFS: Reason.DAMAGED,  # the file system says so of itself
    sqlite3.SQLITE_IOERR_DATA: Reason.DAMAGED,  # a page's checksum
    # The log's index cannot grow by a page: nothing but a full disk does that.
    sqlite3.SQLITE_IOERR_SHMSIZE: Reason.FULL,
    sqlite3.SQLITE_IOERR_NOMEM: Reason.MEMORY,
    # No such table or column, or a statement that SQLite cannot read: another version's schema.
    sqlite3.SQLITE_ERROR: Reason.SCHEMA,
    sqlite3.SQLITE_SCHEMA: Reason.SCHEMA,
    sqlite3.SQLITE_BUSY: Reason.LOCKED,
    sqlite3.SQLITE_LOCKED: Reason.LOCKED,
    sqlite3.SQLITE_PROTOCOL: Reason.LOCKED,  # lost the race for the log's locks too often
    sqlite3.SQLITE_FULL: Reason.FULL,
    sqlite3.SQLITE_READONLY: Reason.READ_ONLY,
    sqlite3.SQLITE_PERM: Reason.READ_ONLY,
    sqlite3.SQLITE_AUTH: Reason.READ_ONLY,
    # A read, a write or a sync that failed.
    sqlite3.SQLITE_IOERR: Reason.DISK,
    sqlite3.SQLITE_NOLFS: Reason.DISK,
    sqlite3.SQLITE_CANTOPEN: Reason.UNREACHABLE,
    sqlite3.SQLITE_NOMEM: Reason.MEMORY,
    sqlite3.SQLITE_CORRUPT: Reason.DAMAGED,
    sqlite3.SQLITE_NOTADB: Reason.DAMAGED,
    sqlite3.SQLITE_FORMAT: Reason.DAMAGED,
    # A reading's own: NOT NULL, a value of another type, a text that is too long.
    sqlite3.SQLITE_CONSTRAINT: Poison,
    sqlite3.SQLITE_MISMATCH: Poison,
    sqlite3.SQLITE_TOOBIG: Poison,
    sqlite3.SQLITE_MISUSE: None,
    sqlite3.SQLITE_RANGE: None,
    sqlite3.SQLITE_INTERNAL: None,
}


def verdict(error: Exception) -> Verdict:
    """What an error of sqlite3's module is. Python's own before SQLite saw anything: poison."""
    if isinstance(error, MemoryError):  # what the module makes of SQLITE_NOMEM
        return Reason.MEMORY
    if isinstance(error, OverflowError | UnicodeError):
        return Poison
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        misused = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)
        return None if misused else Reason.OTHER
    return _VERDICTS.get(code, _VERDICTS.get(code & 0xFF, Reason.OTHER))


def told(error: Exception) -> Exception:
    """The same in the contract's words; the error itself where it is a bug."""
    found = verdict(error)
    if found is None:
        return error
    if not isinstance(found, Reason):
        return found(str(error))
    message = f"{error} ({getattr(error, 'sqlite_errorname', type(error).__name__)})"
    return Damaged(message) if found is Reason.DAMAGED else Trouble(message, found)
