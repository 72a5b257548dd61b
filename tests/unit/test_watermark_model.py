"""A small model of the two tables and the watermark between them, as SQLite keeps readings.

`Model` holds the rules of `ingest.storage.sqlite` and its sealing, and no more: time in ticks, a
minute of four and an hour of sixteen. Random histories find nothing wrong with it; with any one
clause left out they do, so no clause is there for nothing.
"""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

MINUTE, HOUR = 4, 16
SERIES = range(1, 5)
LATEST = 40
HISTORIES = 400
STEPS = 40

CLAUSES = [
    "late is decided by series",  # the watermark is a pair, not one time for all
    "late goes to the sealed table",
    "late is folded into its minute",
    "late is folded into its hour",
    "a slice adds to the hour",  # and the hour is not made anew when its unit ends
    "a slice moves the watermark in its own transaction",
    "the writer reads the watermark inside its own transaction",
    "a unit does not end before its stragglers are sealed",
    "what is left of a unit is deleted",
    "a query applies the watermark by series",
    "only what is new is folded",
]

Key = tuple[int, int]  # series, tick


class Model:
    """The database of one writer. `without` is the clause that is left out."""

    def __init__(self, without: str = "") -> None:
        assert not without or without in CLAUSES
        self.without = without
        self.recent: dict[Key, int] = {}
        self.sealed: dict[Key, int] = {}
        self.rollups: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
        self.sealing_from = self.sealing_to = self.sealing_series = 0

    def until(self, series: int) -> int:
        return self.sealing_to if series <= self.sealing_series else self.sealing_from

    def watermark(self) -> tuple[int, int, int]:
        return self.sealing_from, self.sealing_to, self.sealing_series

    def write(self, key: Key, value: int, read: tuple[int, int, int]) -> bool:
        """Whether the reading was new. `read` is the watermark before the transaction began."""
        if self.without != "the writer reads the watermark inside its own transaction":
            read = self.watermark()
        earliest, latest, through = read
        until = latest if key[0] <= through else earliest
        if self.without == "late is decided by series":
            until = earliest
        is_late = key[1] < until
        table = self.recent
        if is_late and self.without != "late goes to the sealed table":
            table = self.sealed
        is_new = key not in table
        value = table.setdefault(key, value)
        if is_late and (is_new or self.without == "only what is new is folded"):
            if self.without != "late is folded into its minute":
                self._add(MINUTE, key, value)
            if self.without != "late is folded into its hour":
                self._add(HOUR, key, value)
        return is_new

    def begin_unit(self, to: int) -> None:
        if self.sealing_from == self.sealing_to and to > self.sealing_from:
            self.sealing_to, self.sealing_series = to, 0

    def seal_slice(self, dies: bool) -> None:
        """Seal one series. Where the process `dies` it does so before the watermark moves."""
        due = self._due()
        if not due:
            return
        series = min(series for series, _ in due)
        moving = {key: value for key, value in due.items() if key[0] == series}
        if dies and self.without != "a slice moves the watermark in its own transaction":
            return
        self.sealed |= moving
        for key, value in moving.items():
            self._add(MINUTE, key, value)
            if self.without != "a slice adds to the hour":
                self._add(HOUR, key, value)
        if not dies:
            self.sealing_series = series

    def end_unit(self) -> None:
        if self.sealing_from == self.sealing_to:
            return
        if self._due() and self.without != "a unit does not end before its stragglers are sealed":
            return
        if self.without == "a slice adds to the hour":
            for (step, series, start), (count, total) in list(self.rollups.items()):
                if step == MINUTE and self.sealing_from <= start < self.sealing_to:
                    hour = self.rollups[HOUR, series, start // HOUR * HOUR]
                    hour[0], hour[1] = hour[0] + count, hour[1] + total
        self.sealing_from, self.sealing_series = self.sealing_to, 0
        if self.without != "what is left of a unit is deleted":
            self.recent = {k: v for k, v in self.recent.items() if k[1] >= self.sealing_to}

    def _due(self) -> dict[Key, int]:
        return {
            (series, tick): value
            for (series, tick), value in self.recent.items()
            if self.sealing_from <= tick < self.sealing_to and series > self.sealing_series
        }

    def _add(self, step: int, key: Key, value: int) -> None:
        rollup = self.rollups[step, key[0], key[1] // step * step]
        rollup[0], rollup[1] = rollup[0] + 1, rollup[1] + value

    def readings(self) -> list[tuple[Key, int]]:
        """What the view returns."""
        return [*self.sealed.items(), *self.after()]

    def after(self) -> list[tuple[Key, int]]:
        """The readings that a query takes from beside the rollups."""
        if self.without == "a query applies the watermark by series":
            return [(key, v) for key, v in self.recent.items() if key[1] >= self.sealing_from]
        return [(key, v) for key, v in self.recent.items() if key[1] >= self.until(key[0])]

    def answer(self, step: int) -> dict[Key, tuple[int, int]]:
        """Count and sum of each series and bucket: the rollups, and what is after the watermark."""
        found = {
            (series, start): (count, total)
            for (its_step, series, start), (count, total) in self.rollups.items()
            if its_step == step
        }
        return _aggregated(self.after(), step, found)

    def rows_before_the_watermark(self) -> int:
        """Rows of the recent table that no query sees; a unit's end leaves none."""
        return sum(tick < self.sealing_from for _, tick in self.recent)


def _aggregated(
    readings: list[tuple[Key, int]], step: int, onto: dict[Key, tuple[int, int]]
) -> dict[Key, tuple[int, int]]:
    buckets: dict[Key, tuple[int, int]] = defaultdict(lambda: (0, 0), onto)
    for (series, tick), value in readings:
        count, total = buckets[series, tick // step * step]
        buckets[series, tick // step * step] = count + 1, total + value
    return dict(buckets)


def mistake(seed: int, without: str = "") -> str:
    """What one random history finds wrong, if anything."""
    chance = random.Random(seed)
    model = Model(without)
    truth: dict[Key, int] = {}
    for _ in range(STEPS):
        read = model.watermark()
        step = chance.random()
        if step < 0.1:
            model.begin_unit(model.sealing_from + chance.randint(1, 12))
        elif step < 0.4:
            model.seal_slice(dies=chance.random() < 0.3)
        elif step < 0.5:
            model.end_unit()
        if step > 0.3:
            key = chance.choice(SERIES), chance.randrange(LATEST)
            value = chance.randrange(100)
            if model.write(key, value, read) != (key not in truth):
                return "a reading was taken for another than it is"
            truth.setdefault(key, value)
        if sorted(model.readings()) != sorted(truth.items()):
            return "the view returns other readings than were stored"
        for step_ticks in (MINUTE, HOUR):
            if model.answer(step_ticks) != _aggregated(list(truth.items()), step_ticks, {}):
                return "a query does not equal an aggregation of the readings"
        if model.rows_before_the_watermark():
            return "readings are kept twice for good"
    return ""


def test_no_history_finds_anything_wrong_with_all_clauses() -> None:
    assert {mistake(seed) for seed in range(HISTORIES)} == {""}


@pytest.mark.parametrize("clause", CLAUSES)
def test_every_clause_is_needed(clause: str) -> None:
    wrong = sum(mistake(seed, without=clause) != "" for seed in range(HISTORIES))
    assert wrong > HISTORIES // 20, f"only {wrong} of {HISTORIES} histories fail"
