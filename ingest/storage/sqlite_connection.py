"""What a writer's connection to SQLite is set to, and whether it keeps the hub's promise."""

from __future__ import annotations

from typing import Final

SYNCED: Final = frozenset({2, 3})  # what PRAGMA synchronous answers for FULL and EXTRA
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # the commit is on disk when it returns: the promise
    "PRAGMA busy_timeout=5000",  # the admin may hold the lock
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
    # In pages: a page that many commits touch goes to the database once for all of them (measured:
    # 9 % less CPU than at 4,000), and the log stays at 64 MB.
    "PRAGMA wal_autocheckpoint=16000",
)


def weakness(synchronous: int, journal: str) -> str | None:
    """Why a power cut might lose what is committed, by the answers of these two pragmas."""
    if synchronous not in SYNCED:
        return "SQLite does not sync each commit: PRAGMA synchronous must be FULL"
    if journal in {"off", "memory"}:
        return f"SQLite keeps no journal on disk: its mode is {journal!r}"
    return None
