"""Holds what was attempted against what is stored. Pure.

Everything comes in order of time, and is looked at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from ingest.attempts import Sought
from ingest.ledger import Fate
from ingest.reading import EARLIEST_US

Stored = tuple[int, float | str]


class Finding(NamedTuple):
    """Something that must not be: `what` is lost, phantom, wrong or unnamed.

    An `unnamed` is lost only if its group has more of them than were refused without a name.
    """

    what: str
    time_us: int
    text: str
    group: int = 0


@dataclass(slots=True)
class Matched:
    """Finds the readings of one series that are not as the ledger says; counts those that are."""

    kind: int
    span: tuple[int, int]
    """From when to when, in µs, a stored reading that nobody attempted is a phantom."""
    kept_from_us: int = EARLIEST_US
    """What lies before it is gone by age, or is going."""
    present: int = 0
    gone: int = 0

    def findings(self, stored: Iterable[Stored], sought: Iterable[Sought]) -> Iterator[Finding]:
        rows = (row for row in stored if row[0] >= self.kept_from_us)
        row = next(rows, None)
        for time_us, group in groupby(sought, key=lambda attempt: attempt.time_us):
            if time_us < self.kept_from_us:
                fates = {attempt.fate for attempt in group}
                self.gone += not fates <= {Fate.REFUSED, Fate.CONFLICT}
                continue
            while row is not None and row[0] < time_us:
                yield from self._phantom(row)
                row = next(rows, None)
            if row is not None and row[0] == time_us:
                yield from self._against(row, list(group))
                row = next(rows, None)
            else:
                yield from _missing(time_us, list(group))
        while row is not None:
            yield from self._phantom(row)
            row = next(rows, None)

    def _phantom(self, row: Stored) -> Iterator[Finding]:
        if self.span[0] <= row[0] <= self.span[1]:
            yield Finding("phantom", row[0], f"{row[1]!r} is stored and was never attempted")

    def _against(self, row: Stored, attempts: list[Sought]) -> Iterator[Finding]:
        time_us, value = row
        fates = {attempt.fate for attempt in attempts}
        same = [a for a in attempts if a.value == value and a.kind == self.kind]
        if any(attempt.fate not in (Fate.REFUSED, Fate.CONFLICT) for attempt in same):
            self.present += 1
        if fates == {Fate.REFUSED}:
            yield Finding("phantom", time_us, f"{value!r} is stored, and was refused")
            return
        for attempt in attempts:
            if attempt.fate == Fate.KEPT and attempt not in same:
                yield Finding("wrong", time_us, f"{attempt.value!r} was acked, {value!r} is stored")
                return
            if attempt.fate == Fate.CONFLICT and attempt in same:
                yield Finding("wrong", time_us, f"{value!r} is stored, and was refused as conflict")
                return
            if attempt.fate == Fate.UNNAMED and attempt not in same:
                told = f"{attempt.value!r} was settled, {value!r} is stored"
                yield Finding("unnamed", time_us, told, attempt.group)
        if not same and fates <= {Fate.UNKNOWN, Fate.REFUSED}:
            yield Finding("wrong", time_us, f"{value!r} is stored, another value was attempted")


def _missing(time_us: int, attempts: list[Sought]) -> Iterator[Finding]:
    for attempt in attempts:
        if attempt.fate == Fate.KEPT:
            yield Finding("lost", time_us, f"{attempt.value!r} was acked, nothing is stored")
            return
        if attempt.fate == Fate.CONFLICT:
            told = f"{attempt.value!r} was refused as conflict, nothing is stored"
            yield Finding("lost", time_us, told)
            return
    for attempt in attempts:
        if attempt.fate == Fate.UNNAMED:
            told = f"{attempt.value!r} was settled, nothing is stored"
            yield Finding("unnamed", time_us, told, attempt.group)


@dataclass(slots=True)
class Unnamed:
    """Lets as many readings of a group be missing as were refused without their names."""

    allowed: dict[int, int]
    found: Counter[int] = field(default_factory=Counter)

    def is_lost(self, finding: Finding) -> bool:
        self.found[finding.group] += 1
        return self.found[finding.group] > self.allowed.get(finding.group, 0)
