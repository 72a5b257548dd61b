"""Readings as lines: CSV (RFC 4180) for spreadsheets, NDJSON for programs. Pure.

Numbers are written as they are stored, with the fewest digits that read back as the same double.
The hot path: a run is put together from bulk steps, and in pieces, since one call into C keeps
Python's lock until it returns and the event loop waits for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from dashboards.export.instants import written
from dashboards.export.runs import ExportedSeries, Row, Run
from devices.models import Kind

PIECE_ROWS: Final = 1_000  # 1 to 2 ms of work
# What spreadsheets take for the beginning of a formula, in full width too, or skip before one; and
# the mark itself, so that one mark can always be taken away again.
UNSAFE: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
MARK: Final = "'"
_QUOTED: Final = frozenset(',"\r\n')
BOOLEANS: Final = {0: "false", 1: "true"}


class Frame(NamedTuple):
    """What stands around the time and the value on each line of a series."""

    before: str
    between: str
    after: str


class Format(ABC):
    """A way to write an export. What `end` gives is the last line, and is not summed itself."""

    suffix: str
    content_type: str
    head: str

    @abstractmethod
    def frame(self, series: ExportedSeries) -> Frame: ...

    @abstractmethod
    def text(self, value: str) -> str: ...

    @abstractmethod
    def end(self, rows: int, sha256: str) -> str: ...

    def lines(self, run: Run) -> str:
        before, between, after = self.frame(run.series)
        return "".join(
            f"{before}{at}{between}{value}{after}"
            for piece in _pieces(run.rows)
            for at, value in zip(
                written([row[-2] for row in piece]),
                self._values(run.series.kind, [row[-1] for row in piece]),
                strict=True,
            )
        )

    def _values(self, kind: int, values: list[Any]) -> list[str]:
        if kind == Kind.NUMBER:
            return orjson.dumps(values)[1:-1].decode().split(",")
        if kind == Kind.BOOLEAN:
            return [BOOLEANS[value] for value in values]
        return [self.text(value) for value in values]


def _pieces(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), PIECE_ROWS):
        yield rows[start : start + PIECE_ROWS]


class Csv(Format):
    suffix = "csv"
    content_type = "text/csv; charset=utf-8; header=present"
    head = "device,metric,time,value,kind,unit\r\n"

    def frame(self, series: ExportedSeries) -> Frame:
        device, metric, unit = map(field, (series.device, series.metric, series.unit))
        return Frame(f"{device},{metric},", ",", f",{Kind(series.kind).word},{unit}\r\n")

    def text(self, value: str) -> str:
        return field(value)

    def end(self, rows: int, sha256: str) -> str:
        return f"#end,rows={rows},,sha256={sha256},,\r\n"


class Ndjson(Format):
    suffix = "ndjson"
    content_type = "application/x-ndjson"
    head = ""

    def frame(self, series: ExportedSeries) -> Frame:
        named = _json({"device": series.device, "metric": series.metric})
        unit = f',"unit":{_json(series.unit)}' if series.unit else ""
        return Frame(f'{named[:-1]},"time":"', '","value":', f"{unit}}}\n")

    def text(self, value: str) -> str:
        return _json(value)

    def end(self, rows: int, sha256: str) -> str:
        return _json({"end": True, "rows": rows, "sha256": sha256}) + "\n"


def field(text: str) -> str:
    """A text as a field of CSV that no spreadsheet runs: see UNSAFE."""
    if text.startswith(UNSAFE):
        text = MARK + text
    if not _QUOTED.isdisjoint(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
