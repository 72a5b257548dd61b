"""A folder that is there whole or not at all: made under another name, synced, and renamed.

    PATH.partial, locked ▶ files, synced ▶ manifest, synced ▶ renamed to PATH ▶ its folder synced

Whoever is killed on the way leaves a PATH.partial without a lock, which the next one clears. Knows
nothing of databases.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from project.copies import CannotCopy
from project.copies.manifest import FILE, Kept, Manifest, NoManifest, read

PARTIAL: Final = ".partial"
_PRIVATE: Final = 0o700  # it holds what logins and tokens are checked against
_TRIES: Final = 3


@contextmanager
def making(path: Path) -> Iterator[Path]:
    """An empty folder to fill; it is `path` once the block has ended, and gone if it raised.

    Raises CannotCopy, also where `path` exists or somebody else is making it.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        lock = _locked(path, partial)
    except OSError as error:
        raise CannotCopy(f"{partial} cannot be made: {error.strerror}.") from error
    try:
        yield partial
        for file in sorted(partial.iterdir()):
            sync(file)
        sync(partial)
        partial.rename(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _locked(path: Path, partial: Path) -> int:
    """The open, locked, empty folder `partial`; the lock ends with the process."""
    for _ in range(_TRIES):
        if path.exists():
            raise CannotCopy(f"{path} is there already: name a folder that is not.")
        partial.mkdir(_PRIVATE, exist_ok=True)
        lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise CannotCopy(f"{path} is being made by another backup.") from None
        if not path.exists() and _is(partial, lock):
            for left in partial.iterdir():  # by one that was killed
                left.unlink()
            return lock
        os.close(lock)  # the other one was just done: its folder has the name now
    raise CannotCopy(f"{path} is made by others again and again.")


def _is(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(opened))
    except FileNotFoundError:
        return False


def sync(path: Path) -> None:
    """Have the disk keep a file or the names in a folder."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def kept(path: Path) -> Kept:
    """The size and sum of a file, as it is on the disk now."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return Kept(path.stat().st_size, digest.hexdigest())


def write(folder: Path, manifest: Manifest) -> None:
    (folder / FILE).write_text(manifest.text(), encoding="utf-8")


def opened(path: Path) -> Manifest:
    """The manifest of the copy at `path`, each of whose files is whole. Raises CannotCopy."""
    manifest = manifest_of(path)
    for name, wanted in manifest.files.items():
        try:
            found = kept(path / name)
        except OSError as error:
            raise CannotCopy(f"{path / name} cannot be read: {error.strerror}.") from error
        if found != wanted:
            raise CannotCopy(
                f"{path / name} is damaged: it has {found.size_bytes} bytes with the SHA-256"
                f" {found.sha256[:12]}…, the manifest says {wanted.size_bytes} with"
                f" {wanted.sha256[:12]}…; restore another copy."
            )
    return manifest


def manifest_of(path: Path) -> Manifest:
    try:
        text = (path / FILE).read_text(encoding="utf-8")
        return read(text)
    except (FileNotFoundError, NotADirectoryError):
        raise CannotCopy(f"{path} is no copy: it has no {FILE}.") from None
    except OSError as error:
        raise CannotCopy(f"{path / FILE} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise CannotCopy(f"{path} has a {FILE} that is none: it is damaged.") from None
    except NoManifest as error:
        raise CannotCopy(f"{path} {error}.") from None
