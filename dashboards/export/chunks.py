"""Readings from the database, chunk by chunk: by series, and by time within a series.

A chunk is read in one snapshot and holds no more rows than are bound below; nothing is open
between two of them. The next begins after the key (series, time) that the last one ended with. So
however long an export takes it holds up no checkpoint and no vacuum; no row comes twice, for keys
only grow; and a row that is there throughout is in the chunk that passes its key, whichever table
sealing has it in by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from dashboards.export import postgres, sqlite
from dashboards.export.runs import ExportedSeries, Row, Run, Source
from dashboards.snapshot import one_snapshot
from dashboards.timespan import Span
from devices.models import Kind
from ingest.fields import to_us

# Of each source in one chunk: a number takes some 200 bytes until it is written, a text up to 5 kB.
NUMBERS_AT_ONCE: Final = 10_000
TEXTS_AT_ONCE: Final = 1_000

SOURCES: dict[str, Sequence[Source]] = {
    "sqlite": sqlite.sources(NUMBERS_AT_ONCE, TEXTS_AT_ONCE),
    "postgresql": postgres.sources(NUMBERS_AT_ONCE, TEXTS_AT_ONCE),
}


def chunks(batches: Iterable[Sequence[ExportedSeries]], span: Span) -> Iterator[list[Run]]:
    """The readings within `span` of all series of the `batches`, which come by their ids.

    A chunk may be empty: whoever asks can stop after each.
    """
    start_us, end_us = to_us(span.start), to_us(span.end)
    for batch in batches:
        chunk = Chunk(batch, start_us, start_us, end_us)
        while chunk.series:
            with one_snapshot() as cursor:
                for source in SOURCES[connection.vendor]:
                    chunk.read(cursor, source)
            yield chunk.runs()
            chunk = chunk.next()


class Chunk:
    """Readings of the first of `series`, as far as its sources reach: see `chunks`.

    One source after the other is asked for what the former ones have reached, and may reach less
    far itself. Readings of one series come from sources in order of time.
    """

    def __init__(
        self, series: Sequence[ExportedSeries], from_us: int, start_us: int, end_us: int
    ) -> None:
        """`from_us` is for the first series alone, of which a part may have been read before."""
        self.series = series
        self._from_us = from_us
        self._start_us = start_us
        self._end_us = end_us
        self._whole = len(series)  # so many of them to their end
        self._cut_us: int | None = None  # and the next one up to here
        self._rows: dict[int, list[Row]] = {}

    def read(self, cursor: CursorWrapper, source: Source) -> None:
        """Add what the source has of the series that are whole so far."""
        whole = self.series[: self._whole]
        ids = [s.id for s in whole if (s.kind == Kind.TEXT) is source.texts]
        if not ids:
            return
        from_us = self._from_us if ids[0] == self.series[0].id else self._start_us
        found, cut = source.rows(cursor, ids, from_us, self._start_us, self._end_us)
        for series_id, rows in found:
            self._rows[series_id] = self._rows.get(series_id, []) + rows
        if cut:
            last_id, rows = found[-1]
            self._cut_us = rows[-1][-2]
            self._whole = next(n for n, s in enumerate(self.series) if s.id == last_id)

    def runs(self) -> list[Run]:
        read = self.series[: self._whole + (self._cut_us is not None)]
        return [Run(s, self._rows[s.id]) for s in read if s.id in self._rows]

    def next(self) -> Chunk:
        """What follows, not read yet."""
        from_us = self._start_us if self._cut_us is None else self._cut_us + 1
        return Chunk(self.series[self._whole :], from_us, self._start_us, self._end_us)
