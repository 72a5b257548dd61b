"""Hellos on their way to the writer: who waits for a stream, and for how long.

A stream that another hub's batch holds is asked for again until it is too late. Not safe for
threads: the writer holds a lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingest.storage import StreamAnswer, StreamLocked, StreamRequest

PATIENCE_S: Final = 2.0  # with a stream that another hub's batch holds

Answered = list[tuple[StreamRequest, StreamAnswer | None]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request and when it is given up, by the monotonic clock."""

    request: StreamRequest
    until_s: float


class Hellos:
    """The queue of those who wait for their streams."""

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: StreamRequest, now_s: float) -> None:
        self._waiting.append(Waiting(request, now_s + PATIENCE_S))

    def take(self) -> list[Waiting]:
        taken, self._waiting = self._waiting, []
        return taken

    def keep(self, again: list[Waiting]) -> None:
        """Those to be asked for again go back in front, in their order."""
        self._waiting[:0] = again


def sort_answers(
    waiting: list[Waiting], answers: Sequence[StreamAnswer | None], now_s: float
) -> tuple[Answered, list[Waiting]]:
    """What to tell whom, None for a stream that can't be had; and those to be asked for again."""
    answered: Answered = []
    again: list[Waiting] = []
    for one, answer in zip(waiting, answers, strict=True):
        locked = isinstance(answer, StreamLocked)
        if locked and now_s < one.until_s:
            again.append(one)
        else:
            answered.append((one.request, None if locked else answer))
    return answered, again
