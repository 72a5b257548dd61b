"""Reads a trace of system calls: was the log synced to disk before each ack left? Pure.

Lines are those of `strace -f -yy`, in the order in which the calls began and ended:

    [pid] 41 pwrite64(9</srv/weir.sqlite3-wal>, ..., 4120, 32) = 4120
    41 fdatasync(9</srv/weir.sqlite3-wal> <unfinished ...>
    40 sendto(17<TCP:[…]>, "\\201k{\\"type\\":\\"ack\\",…", …
    41 <... fdatasync resumed>) = 0

A write counts from its beginning, a sync from its end, an ack from its beginning. The device of the
trace sends a frame when the one before it is acked, so that between two acks there is one batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_LINE: Final = re.compile(r"(?:\[pid\s+)?(\d+)\]?\s+(.*)")
_CALL: Final = re.compile(r"(\w+)\((?:\d+<(.*?)>)?")
_RESUMED: Final = re.compile(r"<\.\.\. (\w+) resumed>")
_WRITES: Final = frozenset({"pwrite64", "pwritev", "pwritev2", "write", "writev"})
_SYNCS: Final = frozenset({"fsync", "fdatasync"})
_SENDS: Final = frozenset({"sendto", "sendmsg", "send", "write", "writev"})
ACK: Final = r"\"type\":\"ack\""


@dataclass(slots=True)
class Synced:
    """What a trace says of the acks in it."""

    log: str
    """What stands in the paths of the log's files, and of no others."""
    sound: int = 0
    """Acks before which the log was written, and after its last write synced."""
    unsound: list[str] = field(default_factory=list)
    """The lines of the others."""
    _written: bool = False
    _open: bool = False
    _syncing: set[str] = field(default_factory=set)

    def read(self, lines: Iterable[str]) -> None:
        for line in lines:
            found = _LINE.match(line)
            if found:
                self._look(found[1], found[2], line)

    def _look(self, pid: str, text: str, line: str) -> None:
        resumed = _RESUMED.match(text)
        if resumed:
            if resumed[1] in _SYNCS and pid in self._syncing:
                self._syncing.remove(pid)
                self._open = self._open and not text.endswith("= 0")
            return
        call = _CALL.match(text)
        if call is None:
            return
        name, path = call[1], call[2] or ""
        if name in _SENDS and ACK in text:
            self._acked(line)
        elif self.log in path and name in _WRITES:
            self._written = self._open = True
        elif self.log in path and name in _SYNCS:
            if text.endswith("<unfinished ...>"):
                self._syncing.add(pid)
            elif text.endswith("= 0"):
                self._open = False

    def _acked(self, line: str) -> None:
        if self._written and not self._open:
            self.sound += 1
        else:
            self.unsound.append(line)
        self._written = False
