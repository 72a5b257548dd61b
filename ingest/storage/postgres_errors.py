"""PostgreSQL's SQLSTATEs in the contract's words: the table, with its reasons.

A state is looked for first, then its class (the first two characters).
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import struct
from typing import Final

import psycopg

from ingest.storage.trouble import Collision, Damaged, OutcomeUnknown, Poison, Reason, Trouble

# None: a bug of ours, which trying again would not mend.
Verdict = Reason | type[Poison] | type[Collision] | None

_VERDICTS: Final[dict[str, Verdict]] = {
    "40001": Collision,  # serialization_failure
    "40P01": Collision,  # deadlock_detected
    "25006": Reason.READ_ONLY,  # by default_transaction_read_only, or a standby
    "53100": Reason.FULL,
    "53200": Reason.MEMORY,
    "55P03": Reason.LOCKED,  # lock_timeout
    "57014": Reason.OTHER,  # statement_timeout, or cancelled by a person
    "XX001": Reason.DAMAGED,  # data_corrupted: a page that is invalid or missing
    "XX002": Reason.DAMAGED,  # index_corrupted
    # A reading's own: out of range, NUL, NOT NULL. A collision of keys is told apart before.
    "22": Poison,
    "23": Poison,
    "08": Reason.UNREACHABLE,
    "28": Reason.UNREACHABLE,  # the password was changed
    "3D": Reason.UNREACHABLE,  # the database was renamed or dropped
    "53": Reason.UNREACHABLE,  # too many connections
    "57": Reason.UNREACHABLE,  # shutting down, crashed, starting
    "58": Reason.DISK,  # io_error; a file that is missing may be a disk that is not mounted
    "0A": Reason.SCHEMA,  # "cached plan must not change result type": a migration ran
    "26": Reason.SCHEMA,  # a prepared statement that a pooler lost
    "3F": Reason.SCHEMA,
    "42": Reason.SCHEMA,  # no such table or column, no right to it
    "25": Reason.OTHER,  # the transaction ended by itself: idle for too long
    "40": Reason.OTHER,
    # No reading reaches a limit; "not accepting commands to avoid wraparound" is one of these.
    "54": Reason.OTHER,
    "55": Reason.OTHER,
    "XX": Reason.OTHER,
}
# Of these answers to COMMIT nobody knows which it was.
_UNKNOWN: Final = frozenset({"08007", "40003"})


def verdict(error: Exception) -> Verdict:
    """What an error of psycopg's or of packing rows is."""
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return _VERDICTS.get(state, _VERDICTS.get(state[:2], Reason.OTHER))
    # The server never saw it, or does not answer.
    if isinstance(error, struct.error | OverflowError | UnicodeError | psycopg.DataError):
        return Poison
    if isinstance(error, psycopg.ProgrammingError | psycopg.NotSupportedError):
        return None
    return Reason.UNREACHABLE


def told(error: Exception) -> Exception:
    """The same in the contract's words; the error itself where it is a bug."""
    found = verdict(error)
    if found is None:
        return error
    if not isinstance(found, Reason):
        # Without the details, which show what was to be stored.
        diagnosis = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return found(diagnosis or said(error))
    return Damaged(said(error)) if found is Reason.DAMAGED else Trouble(said(error), found)


def told_of_commit(error: Exception, connection_lost: bool) -> Exception:
    """The same of an error that came instead of an answer to COMMIT."""
    if connection_lost or getattr(error, "sqlstate", None) in _UNKNOWN:
        return OutcomeUnknown(said(error))
    return told(error)


def said(error: Exception) -> str:
    """The driver's message in one line."""
    return " ".join(str(error).split())
