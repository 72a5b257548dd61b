"""What is exported: a series, a run of its readings, and where they are read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Protocol

from django.db.backends.utils import CursorWrapper

# Its last two are the time, in microseconds since 1970, and the value, a number or a text.
Row = tuple[Any, ...]


class ExportedSeries(NamedTuple):
    """A series as it is named in an export; `kind` is one of `devices.models.Kind`."""

    id: int
    device: str
    metric: str
    kind: int
    unit: str


class Run(NamedTuple):
    """Readings of one series in order of time."""

    series: ExportedSeries
    rows: list[Row]


class Source(Protocol):
    """Where readings are: texts, or numbers and booleans."""

    texts: bool

    def rows(
        self, cursor: CursorWrapper, ids: Sequence[int], from_us: int, start_us: int, end_us: int
    ) -> tuple[list[tuple[int, list[Row]]], bool]:
        """Rows of each series that has any, and whether they are cut: the last may have more.

        Of series by their `ids`, which grow, before `end_us`: the first from `from_us` on, the
        others from `start_us`. In the snapshot of the `cursor`.
        """


def by_series(rows: Iterable[Row]) -> list[tuple[int, list[Row]]]:
    """Rows that begin with their series, and come in its order."""
    return [(series_id, list(its)) for series_id, its in groupby(rows, key=itemgetter(0))]
