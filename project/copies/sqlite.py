"""Copies a SQLite database beside a running hub, and puts a copy in its place.

    one read transaction ▶ some pages ▶ pause ▶ some pages ▶ … ▶ checked ▶ counted

The transaction is the one moment that is copied. It keeps nobody from writing: the log (WAL) grows
meanwhile by what is written, and is copied into the database here when the copy is done, so that
no batch of the hub's has to.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from project.copies import CannotCopy, sqlite_sums
from project.copies.folder import kept, sync
from project.copies.manifest import Manifest, differences

FILE: Final = "weir.sqlite3"
STEP_PAGES: Final = 256
"""1 MB: read and written in a few milliseconds."""
SYNC_STEPS: Final = 16
"""Unsynced, the copy would pile up in memory, and a batch's own sync would wait for all of it."""
PAUSE: Final = 1.0
"""Of the time a step took: half of the disk stays the hub's."""
SPARE: Final = 1.1
"""What must be free, in sizes of the database."""


def back_up(source: Path, folder: Path, weir: str) -> Manifest:
    """Copy `source` into `folder`, read the copy and say what is in it. Raises CannotCopy."""
    copy = folder / FILE
    with _told(f"{source} cannot be copied"):
        _check_room(source, folder)
        with closing(connect(source, "rw")) as live:
            moment = _copy(live, copy)
            # At once: the next commit would have to do it.
            live.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        with closing(connect(copy, "ro", immutable=True)) as db:
            _check_whole(db, source)
            return Manifest(
                weir=weir,
                engine="sqlite",
                moment=moment,
                migrations=sqlite_sums.migrations(db),
                tables=sqlite_sums.tables(db),
                sums=sqlite_sums.sums(db),
                files={FILE: kept(copy)},
            )


def contents(path: Path) -> dict[str, int]:
    """The rows of each table; none where there is no database. Raises CannotCopy."""
    if not path.exists() or not path.stat().st_size:
        return {}
    with _told(f"{path} cannot be read"), closing(connect(path, "rw")) as db:
        return sqlite_sums.tables(db)


def restore(manifest: Manifest, folder: Path, target: Path) -> Path | None:
    """Put the copy in the place of `target`, and what was there aside; where it is now.

    The caller keeps hubs off `target`. Raises CannotCopy; then `target` is as it was.
    """
    coming = target.with_name(f"{target.name}.restoring")
    with _told(f"{target} cannot be restored"):
        coming.unlink(missing_ok=True)
        try:
            _fetch(manifest, folder / FILE, coming)
            aside = _put_aside(target)
            coming.rename(target)
        finally:
            coming.unlink(missing_ok=True)
        sync(target.parent)
    return aside


def connect(path: Path, mode: str, immutable: bool = False) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode={mode}" + ("&immutable=1" if immutable else "")
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=10)


def _copy(live: sqlite3.Connection, copy: Path) -> str:
    """Copy one moment, step by step; when it was."""
    live.execute("PRAGMA wal_autocheckpoint=0")
    live.execute("BEGIN")
    live.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the moment is the first read
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        # In the open transaction: SQLite would begin anew whenever somebody has written.
        live.backup(db, pages=STEP_PAGES, progress=_pace(copy))
        db.execute("PRAGMA journal_mode=DELETE").fetchone()  # one file, with nothing beside it
    live.execute("ROLLBACK")
    return moment


def _pace(copy: Path) -> Callable[[int, int, int], None]:
    steps, since_s = 0, time.perf_counter()

    def after_a_step(status: int, remaining: int, total: int) -> None:
        nonlocal steps, since_s
        steps += 1
        if steps % SYNC_STEPS == 0:
            sync(copy)
        time.sleep((time.perf_counter() - since_s) * PAUSE)
        since_s = time.perf_counter()

    return after_a_step


def _check_room(source: Path, folder: Path) -> None:
    wanted, free = round(source.stat().st_size * SPARE), shutil.disk_usage(folder).free
    if free < wanted:
        raise CannotCopy(
            f"{folder.parent} has room for {free:,} bytes, the copy wants {wanted:,}: make room."
        )


def _check_whole(db: sqlite3.Connection, source: Path) -> None:
    (said,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        raise CannotCopy(
            f"The copy of {source} is not whole ({said}): run `manage.py checkdatabase`."
        )


def _fetch(manifest: Manifest, copy: Path, coming: Path) -> None:
    """The copy as a file beside the database, checked, and synced."""
    shutil.copyfile(copy, coming)
    with closing(connect(coming, "ro", immutable=True)) as db:
        told = differences(manifest, sqlite_sums.tables(db), sqlite_sums.sums(db))
    if told:
        raise CannotCopy(f"{copy} is not what its manifest says: {told[0]}.")
    with closing(connect(coming, "rw")) as db:
        _disown(db)
    sync(coming)


def _disown(db: sqlite3.Connection) -> None:
    """No hub that lived through the restore goes on: see `project.copies.postgres`."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("UPDATE ingest_stream SET epoch = random() & 0x7fffffffffffffff")
    db.execute(
        "UPDATE ingest_linestate SET catalogue = max(catalogue + 1, ?)",
        (time.time_ns() // 1_000,),
    )
    db.execute("COMMIT")


def _put_aside(target: Path) -> Path | None:
    """Give the database and its log another name; there is no moment at which they are apart."""
    if not target.exists():
        _remove(target)
        return None
    aside = target.with_name(f"{target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    for end in ("", "-wal"):
        with suppress(FileNotFoundError):
            os.link(f"{target}{end}", f"{aside}{end}")
    sync(target.parent)
    _remove(target)
    return aside


def _remove(target: Path) -> None:
    """The database first: a log without one is nothing, a database without its log is older."""
    for end in ("", "-wal", "-shm"):
        Path(f"{target}{end}").unlink(missing_ok=True)
    sync(target.parent)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors in one sentence."""
    try:
        yield
    except sqlite3.Error as error:
        raise CannotCopy(f"{what}: {error}.") from error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise CannotCopy(f"{what}: {where}{error.strerror}.") from error
