"""Readings of many series in PostgreSQL: one look into the key for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from django.db.backends.utils import CursorWrapper

from dashboards.export.runs import Row, Source, by_series
from ingest.fields import from_us as instant

# One call into the driver keeps Python's lock until it returns: 0.3 ms for so many.
FETCHED_AT_ONCE: Final = 1_000

# The outer LIMIT ends the loop over the series early. An outer ORDER BY would be safe by the
# standard, but reads and sorts them all first; a nested loop keeps the order, and is looked at.
_BY_SERIES: Final = """
    SELECT s.id, (extract(epoch FROM r.time) * 1000000)::bigint, r.value
    FROM unnest(%s::bigint[]) AS s(id) CROSS JOIN LATERAL (
      SELECT time, value FROM {table} WHERE series_id = s.id AND time >= %s AND time < %s
      ORDER BY time LIMIT %s) r
    LIMIT %s"""


class BySeries:
    """A table of readings, partitioned by time; the key of each partition is (series, time)."""

    def __init__(self, table: str, texts: bool, most: int) -> None:
        self.texts = texts
        self._sql = _BY_SERIES.format(table=table)
        self._most = most

    def rows(
        self, cursor: CursorWrapper, ids: Sequence[int], from_us: int, start_us: int, end_us: int
    ) -> tuple[list[tuple[int, list[Row]]], bool]:
        rows: list[Row] = []
        parts = [(ids, start_us)]
        if from_us != start_us:
            parts = [(ids[:1], from_us), (ids[1:], start_us)]
        for part, since_us in parts:
            at_most = self._most - len(rows)
            if part and at_most:
                span = instant(since_us), instant(end_us)
                cursor.execute(self._sql, [list(part), *span, at_most, at_most])
                rows += _fetched(cursor)
        found = by_series(rows)
        if any(earlier >= later for (earlier, _), (later, _) in pairwise(found)):
            raise RuntimeError("PostgreSQL gave series in another order than they were asked for")
        return found, len(rows) == self._most


def _fetched(cursor: CursorWrapper) -> Iterator[Row]:
    while rows := cursor.fetchmany(FETCHED_AT_ONCE):
        yield from rows


def sources(numbers_most: int, texts_most: int) -> Sequence[Source]:
    return (
        BySeries("ingest_reading", False, numbers_most),
        BySeries("ingest_textreading", True, texts_most),
    )
