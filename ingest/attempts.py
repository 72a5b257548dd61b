"""Keeps a ledger's attempts in order of series and time, on disk: there may be ten million.

A private SQLite database without a name, which the operating system forgets with the process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ingest.ledger import NO_TIME_US, Attempt

Metric = tuple[str, str]  # a device's uid, and the name of one of its metrics


class Sought(NamedTuple):
    """An attempt of one series, to be looked for in the database."""

    time_us: int
    kind: int
    value: float | str
    fate: int
    group: int


class Attempts:
    """All attempts: first `add`ed, then read series by series."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
            "CREATE TABLE attempt (metric integer, time integer, kind integer, value, fate integer,"
            " grp integer);"
        )
        self._numbers: dict[Metric, int] = {}

    def add(self, attempts: Iterable[Attempt]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO attempt VALUES (?, ?, ?, ?, ?, ?)", map(self._row, attempts)
        )
        self._db.execute("COMMIT")

    def sort(self) -> None:
        """After the last `add`, before anything is read."""
        self._db.execute("CREATE INDEX attempt_order ON attempt (metric, time)")

    def metrics(self) -> list[Metric]:
        return list(self._numbers)

    def of(self, metric: Metric) -> Iterator[Sought]:
        """The attempts of one metric by time; those without a time are left out."""
        rows = self._db.execute(
            "SELECT time, kind, value, fate, grp FROM attempt"
            " WHERE metric = ? AND time IS NOT NULL ORDER BY time",
            [self._numbers.get(metric)],
        )
        return map(Sought._make, rows)

    def timeless(self, metric: Metric) -> int:
        """How many readings of this metric were sent without a time."""
        row = self._db.execute(
            "SELECT count(*) FROM attempt WHERE metric = ? AND time IS NULL",
            [self._numbers.get(metric)],
        ).fetchone()
        return int(row[0])

    def spans(self) -> dict[str, tuple[int, int]]:
        """The earliest and the latest time attempted, in µs, by device."""
        rows = {
            number: (first, last)
            for number, first, last in self._db.execute(
                "SELECT metric, min(time), max(time) FROM attempt WHERE time > ? GROUP BY metric",
                [NO_TIME_US],
            )
        }
        spans: dict[str, tuple[int, int]] = {}
        for (device, _), number in self._numbers.items():
            if number in rows:
                first, last = rows[number]
                was = spans.get(device, (first, last))
                spans[device] = min(first, was[0]), max(last, was[1])
        return spans

    def close(self) -> None:
        self._db.close()

    def _row(self, attempt: Attempt) -> tuple[int, int | None, int, float | str, int, int]:
        device, metric, time_us, kind, value, fate, group = attempt
        number = self._numbers.setdefault((device, metric), len(self._numbers))
        return number, time_us, kind, value, fate, group
