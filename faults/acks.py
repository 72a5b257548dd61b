"""When a fleet hears from a hub again: reads its ledger as it grows."""

from __future__ import annotations

import json
import time

from faults.place import Fleet
from tests.hubs import wait_until

PATIENCE_S = 300.0
"""A device that has failed to come back some times waits for half a minute before the next."""


class Acks:
    """What the devices of a fleet were told since `mark`; a moment is late by some 20 ms.

    Lines that a device wrote down late are of the connection before, and are passed over: an ack
    counts once a `welcome` of the device was read; where the connections should have held, at once.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ledger = fleet.ledger
        self._offset = 0
        self._marked_s = 0.0
        self._rest = b""
        self._reconnected = True
        self.welcomed: set[str] = set()
        self.acked: set[str] = set()

    def mark(self, *, reconnected: bool = True) -> None:
        """Forget what was, and count seconds from now."""
        self._reconnected = reconnected
        self._offset = self._ledger.stat().st_size if self._ledger.exists() else 0
        self._rest = b""
        self.welcomed.clear()
        self.acked.clear()
        self._marked_s = time.monotonic()

    def wait_s(self, devices: int = 1, within_s: float = PATIENCE_S) -> float:
        """Wait until so many devices have an ack; the seconds since the mark."""

        def enough() -> bool:
            assert self._fleet.runs, self._fleet.end()
            self.look()
            return len(self.acked) >= devices

        try:
            wait_until(enough, f"{devices} devices have an ack again", within_s)
        except AssertionError as error:
            error.add_note(f"{len(self.welcomed)} were welcomed, {len(self.acked)} have an ack")
            raise
        return time.monotonic() - self._marked_s

    def look(self) -> None:
        """Read what has come."""
        if not self._ledger.exists():
            return
        with self._ledger.open("rb") as ledger:
            ledger.seek(self._offset)
            read = ledger.read()
        self._offset += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for line in lines:
            if line.startswith(b'{"resumed"'):
                self.welcomed.add(json.loads(line)["resumed"]["device"])
            elif line.startswith(b'{"settled"'):
                device = json.loads(line)["settled"]["device"]
                if device in self.welcomed or not self._reconnected:
                    self.acked.add(device)
