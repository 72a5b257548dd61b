"""Several hubs on one machine, each a program of its own on a port of its own.

Starts them, starts again the one that ended, and ends all of them together. It holds no socket and
no connection to a database, and knows nothing of what a hub does: whatever happens to one of them,
those beside it go on.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from project.children import Asked, Child

logger = logging.getLogger(__name__)

LOOK_S: Final = 0.1
# A hub that ends as soon as it is started, since its database is away say, is not to take the
# others' processor time: it is started again after twice as long each time.
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
WELL_AFTER_S: Final = 60.0
"""One that ran for so long is started again as if it had never ended."""
SPARE_S: Final = 2.0
"""A hub ends itself at its time limit; whatever hangs longer than so much beyond it is ended."""


@dataclass(slots=True)
class Seat:
    """One port, and the hub on it while there is one."""

    port: int
    hub: Child | None = None
    began_s: float = 0.0
    wait_s: float = FIRST_WAIT_S
    due_s: float = 0.0


class Supervisor:
    """`start` starts the hub of a port. To be run in the main thread, and once."""

    def __init__(
        self,
        start: Callable[[int], Child],
        ports: Sequence[int],
        stop_within_s: float,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._seats = [Seat(port) for port in ports]
        self._stop_within_s = stop_within_s
        self._elapsed = elapsed

    def run(self, asked: Asked) -> None:
        """Until asked to stop; all hubs have ended then."""
        try:
            while not asked:
                self.look()
                time.sleep(LOOK_S)
        finally:
            self._end(asked)

    def look(self) -> None:
        """Start what is due, and notice what has ended."""
        now_s = self._elapsed()
        for seat in self._seats:
            if seat.hub is None and now_s >= seat.due_s:
                seat.hub, seat.began_s = self._start(seat.port), now_s
                logger.info("hub on port %d: started as process %d", seat.port, seat.hub.pid)
            elif seat.hub is not None and (status := seat.hub.ended()) is not None:
                self._lose(seat, status, now_s)

    def _lose(self, seat: Seat, status: int, now_s: float) -> None:
        seat.hub = None
        if now_s - seat.began_s >= WELL_AFTER_S:
            seat.wait_s = FIRST_WAIT_S
        logger.warning(
            "hub on port %d: it %s; it is started again in %g s",
            *(seat.port, how_it_ended(status), seat.wait_s),
        )
        seat.due_s = now_s + seat.wait_s
        seat.wait_s = min(2 * seat.wait_s, LONGEST_WAIT_S)

    def _end(self, asked: Asked) -> None:
        """All at once: each needs its time to commit and to take leave, and has all of it."""
        running = [(seat.port, seat.hub) for seat in self._seats if seat.hub is not None]
        logger.info("ending %d hubs", len(running))
        for _, hub in running:
            hub.ask_to_end()
        until_s, told = self._elapsed() + self._stop_within_s + SPARE_S, asked.times
        while self._elapsed() < until_s and any(hub.ended() is None for _, hub in running):
            if asked.times > told:  # a second signal ends a hub at once
                told = asked.times
                for _, hub in running:
                    hub.ask_to_end()
            time.sleep(LOOK_S)
        for port, hub in running:
            if not hub.end(0):
                logger.error("hub on port %d: it did not end in time, and was killed", port)


def how_it_ended(status: int) -> str:
    """In words: an exit status, or a signal's number below 0."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
