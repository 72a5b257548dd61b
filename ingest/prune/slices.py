"""Cuts what is due into slices of whole hours, each with a bounded number of readings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ingest.prune.dues import Due
from ingest.retention import HOUR_US

HOURS_AT_ONCE: Final = 5_000  # of one series

# The first hours of what is due that have readings, at most so many: (start in µs, readings).
HoursOf = Callable[[Due], Sequence[tuple[int, int]]]


def slices(dues: Sequence[Due], hours_of: HoursOf, most_readings: int) -> Iterator[list[Due]]:
    """All of the `dues`, a slice at a time; it has at most so many readings, or one hour of them.

    Looks for the hours of a series when its turn comes.
    """
    left = list(dues)
    while left:
        taken = _first(left, hours_of, most_readings)
        yield taken
        left = left[len(taken) - 1 :]
        if taken[-1].to_us == left[0].to_us:
            left = left[1:]
        else:
            left[0] = left[0]._replace(from_us=taken[-1].to_us)


def _first(dues: Sequence[Due], hours_of: HoursOf, most_readings: int) -> list[Due]:
    taken: list[Due] = []
    readings = 0
    for due in dues:
        hours = hours_of(due)
        for start_us, count in hours:
            if readings and readings + count > most_readings:
                return _and_part(taken, due, start_us)
            readings += count
        if len(hours) == HOURS_AT_ONCE:
            return _and_part(taken, due, hours[-1][0] + HOUR_US)
        taken.append(due)
    return taken


def _and_part(taken: list[Due], due: Due, to_us: int) -> list[Due]:
    return [*taken, due._replace(to_us=to_us)] if to_us > due.from_us else taken
