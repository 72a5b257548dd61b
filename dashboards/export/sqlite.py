"""Readings of many series in SQLite: what is sealed by series, what is recent by time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson
from django.db.backends.utils import CursorWrapper

from dashboards.export.runs import Row, Source, by_series

_BY_SERIES: Final = """
    SELECT time, value FROM {table} WHERE series_id = %s AND time >= %s AND time < %s
    ORDER BY time LIMIT %s"""
# One pass over what is not sealed, however many series: it is kept by time. What is before the
# watermark is sealed, though it may not be swept yet.
_RECENT: Final = """
    SELECT r.series_id, r.time, r.value FROM ingest_linestate l CROSS JOIN ingest_recent r
    WHERE l.id = 1
      AND r.time >= l.sealing_from AND (r.time >= l.sealing_to OR r.series_id > l.sealing_series)
      AND r.time >= %s AND r.time < %s AND (r.series_id != %s OR r.time >= %s)
      AND r.series_id IN (SELECT value FROM json_each(%s))
    ORDER BY r.series_id, r.time LIMIT %s"""


class BySeries:
    """A table keyed (series, time): each series is one stretch of it."""

    def __init__(self, table: str, texts: bool, most: int) -> None:
        self.texts = texts
        self._sql = _BY_SERIES.format(table=table)
        self._most = most

    def rows(
        self, cursor: CursorWrapper, ids: Sequence[int], from_us: int, start_us: int, end_us: int
    ) -> tuple[list[tuple[int, list[Row]]], bool]:
        found: list[tuple[int, list[Row]]] = []
        at_most = self._most
        for series_id in ids:
            cursor.execute(self._sql, [series_id, from_us, end_us, at_most])
            if rows := cursor.fetchall():
                found.append((series_id, rows))
                at_most -= len(rows)
                if not at_most:
                    return found, True
            from_us = start_us
        return found, False


class Recent:
    """Readings at or after the watermark. They follow a series' sealed ones."""

    texts = False

    def __init__(self, most: int) -> None:
        self._most = most

    def rows(
        self, cursor: CursorWrapper, ids: Sequence[int], from_us: int, start_us: int, end_us: int
    ) -> tuple[list[tuple[int, list[Row]]], bool]:
        earliest_us = from_us if len(ids) == 1 else start_us
        wanted = orjson.dumps(ids).decode()
        cursor.execute(_RECENT, [earliest_us, end_us, ids[0], from_us, wanted, self._most])
        rows: list[Row] = cursor.fetchall()
        return by_series(rows), len(rows) == self._most


def sources(numbers_most: int, texts_most: int) -> Sequence[Source]:
    return (
        BySeries("ingest_sealed", False, numbers_most),
        BySeries("ingest_textreading", True, texts_most),
        Recent(numbers_most),
    )
