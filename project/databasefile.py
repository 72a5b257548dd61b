"""Whether a file can be a SQLite database of Weir's, found out by reading it and nothing else.

Asked before anything opens it for writing: SQLite would turn a stranger's database to its log
(WAL), and would finish a file that was cut off with zeros. The formats are SQLite's own:
https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

MAGIC: Final = b"SQLite format 3\0"
HEADER_BYTES: Final = 100
LOCK_AT_BYTE: Final = 2**30  # the page that holds it is never written
PAGE_BYTES: Final = {2**power for power in range(9, 17)}
WAL_MAGIC: Final = {0x377F0682, 0x377F0683}

_SEE: Final = "Nothing was changed; docs/operations.md says what can be done."


def file_problem(path: Path, ours: Collection[str], others: Collection[str]) -> str | None:
    """Why a hub must not use the file, in one sentence; None where it may, or is to be made yet.

    `ours` are tables that only Weir has, `others` those that any Django project may have too.
    """
    try:
        with path.open("rb") as file:
            told = _header_problem(path, file)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    if told is not None:
        return told
    try:
        found = _tables(path)
    except sqlite3.DatabaseError as error:
        word = "is damaged" if _is_damage(error) else "cannot be used"
        return f"{path} {word}: {error}. {_SEE}"
    strange = found - set(ours) - set(others)
    if strange and not found & set(ours):
        some = ", ".join(sorted(strange)[:3])
        return f"{path} is a database of something else: it has {some}, and no table of Weir's."
    return None


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _header_problem(path: Path, file: BinaryIO) -> str | None:
    header = file.read(HEADER_BYTES)
    if not header:
        return None
    if not header.startswith(MAGIC):
        return f"{path} is not a SQLite database: it begins with other bytes. {_SEE}"
    head = Head.of(header)
    if head is None:
        return f"{path} is damaged: its header is not whole. {_SEE}"
    there = file.seek(0, 2) // head.page_bytes
    log = Log.beside(path, head)
    missing = log.missing(there)
    if missing > log.head.free_pages:
        return (
            f"{path} is damaged: it was cut off, {missing} of its {log.head.pages} pages are"
            f" missing. {_SEE}"
        )
    return None


@dataclass(frozen=True, slots=True)
class Head:
    """What page 1 says; `pages` is 0 where it does not say."""

    page_bytes: int
    pages: int
    free_pages: int

    @classmethod
    def of(cls, header: bytes) -> Head | None:
        if len(header) < HEADER_BYTES:
            return None
        (size,) = struct.unpack_from(">H", header, 16)
        page_bytes = 65_536 if size == 1 else size
        if page_bytes not in PAGE_BYTES:
            return None
        (changed, pages) = struct.unpack_from(">II", header, 24)
        (free_pages,) = struct.unpack_from(">I", header, 36)
        (valid_for,) = struct.unpack_from(">I", header, 92)
        return cls(page_bytes, pages if changed == valid_for else 0, free_pages)


@dataclass(frozen=True, slots=True)
class Log:
    """What the log (WAL) beside a database adds to it: `head` as of the last commit in it."""

    head: Head
    pages: frozenset[int]

    @classmethod
    def beside(cls, path: Path, head: Head) -> Log:
        try:
            with path.with_name(f"{path.name}-wal").open("rb") as file:
                return cls._read(file, head)
        except OSError:
            return cls(head, frozenset())

    @classmethod
    def _read(cls, file: BinaryIO, head: Head) -> Log:
        begin = file.read(32)
        committed = cls(head, frozenset())
        if len(begin) < 32 or struct.unpack_from(">I", begin)[0] not in WAL_MAGIC:
            return committed
        salts = begin[16:24]
        seen: set[int] = set()
        newest = head
        while len(frame := file.read(24)) == 24 and frame[8:16] == salts:
            number, size = struct.unpack_from(">II", frame)
            seen.add(number)
            if number == 1:
                newest = Head.of(file.read(HEADER_BYTES)) or newest
                file.seek(-HEADER_BYTES, 1)
            file.seek(head.page_bytes, 1)
            if size:  # the last frame of a commit
                newest = Head(head.page_bytes, size, newest.free_pages)
                committed = cls(newest, frozenset(seen))
        return committed

    def missing(self, there: int) -> int:
        """How many pages are neither in the log nor among the `there` pages of the file.

        As many as are free may be: SQLite does not write what nobody reads.
        """
        locked = LOCK_AT_BYTE // self.head.page_bytes + 1
        beyond = range(there + 1, self.head.pages + 1)
        return sum(page not in self.pages for page in beyond) - (locked in beyond)


def _tables(path: Path) -> set[str]:
    address = f"file:{quote(str(path))}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {name for (name,) in rows if not name.startswith("sqlite_")}
