"""Recorded files as samples: each format's columns, times and names. Pure but for reading text.

A value that is a JSON number in the file goes out as the same characters: no digit is lost on the
way through a float.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from simulators import Trouble

JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?").fullmatch

BOOLEANS = {"0": "false", "1": "true", "False": "false", "True": "true"}

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Sample(NamedTuple):
    """One line of a recording: `values` are JSON texts by metric, None where there is none."""

    node: str
    time_us: int
    values: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a line: the node it came from, its time, its metrics by column."""

    metrics: dict[str | int, str]
    """Metric names by column: a header's name, or a number where there is no header."""
    time: Callable[[str], int]
    """A time's text to microseconds; raises ValueError."""
    time_column: str | int
    node_column: int | None = None
    booleans: frozenset[str] = frozenset()
    header: bool = True


def room_climate() -> Layout:
    return Layout(
        metrics={
            4: "temperature",
            5: "humidity",
            6: "light_1",
            7: "light_2",
            8: "occupants",
            9: "activity",
            10: "door",
            11: "window",
        },
        time=lambda text: int(text) * 1000,
        time_column=1,
        node_column=3,
        booleans=frozenset({"door", "window"}),
        header=False,
    )


def occupancy(zone: tzinfo) -> Layout:
    return Layout(
        metrics={
            "Temperature": "temperature",
            "Humidity": "humidity",
            "Light": "light",
            "CO2": "co2",
            "HumidityRatio": "humidity_ratio",
            "Occupancy": "occupancy",
        },
        time=local_time("%Y-%m-%d %H:%M:%S", zone),
        time_column="date",
        booleans=frozenset({"occupancy"}),
    )


def machine_temperature(zone: tzinfo) -> Layout:
    return Layout(
        metrics={"value": "temperature"},
        time=local_time("%Y-%m-%d %H:%M:%S", zone),
        time_column="timestamp",
    )


def local_time(pattern: str, zone: tzinfo) -> Callable[[str], int]:
    """Times as `strptime` reads them; those without an offset are of `zone`.

    `pattern` may be `s` or `ms`: Unix seconds or milliseconds, with a fraction; or `iso`.
    """
    if pattern in ("s", "ms"):
        return lambda text: _scaled(text, 1_000_000 if pattern == "s" else 1_000)

    def parse(text: str) -> int:
        if pattern == "iso":
            read = datetime.fromisoformat(text)
        else:
            read = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is set below
        aware = read if read.tzinfo is not None else read.replace(tzinfo=zone)
        since = aware.astimezone(UTC) - EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    return parse


def _scaled(text: str, scale_us: int) -> int:
    if "." not in text:
        return int(text) * scale_us
    return round(float(text) * scale_us)


def read(lines: Iterable[str], layout: Layout, what: str) -> Iterator[Sample]:
    """The samples of a file in its order; raise `Trouble` naming the line that cannot be read."""
    rows = csv.reader(lines, skipinitialspace=True)
    columns = _columns(next(rows, []) if layout.header else [], layout, what)
    for number, row in enumerate(rows, start=2 if layout.header else 1):
        if not row:
            continue
        # A file may have one column more than its header names: a row number in front.
        shift = 1 if len(row) == columns.width + 1 and layout.header else 0
        try:
            if len(row) < columns.width:
                raise ValueError(f"{len(row)} columns instead of {columns.width}")
            yield Sample(
                row[layout.node_column] if layout.node_column is not None else "",
                layout.time(row[columns.time + shift].strip()),
                {
                    metric: _value(row[at + shift].strip(), metric in layout.booleans)
                    for at, metric in columns.metrics
                },
            )
        except (ValueError, IndexError) as error:
            raise Trouble(f"{what}, line {number}: {error}.") from None


class _Columns(NamedTuple):
    """Where things are in a row; `width` is how many columns it must have."""

    time: int
    metrics: list[tuple[int, str]]
    width: int


def _columns(header: list[str], layout: Layout, what: str) -> _Columns:
    def find(column: str | int) -> int:
        if isinstance(column, int):
            return column
        try:
            return header.index(column)
        except ValueError:
            raise Trouble(f"{what} has no column {column!r}; it has {', '.join(header)}.") from None

    metrics = [(find(column), metric) for column, metric in layout.metrics.items()]
    width = len(header) or 1 + max(at for at, _ in metrics)
    return _Columns(find(layout.time_column), metrics, width)


def _value(text: str, boolean: bool) -> str | None:
    if boolean and text in BOOLEANS:
        return BOOLEANS[text]
    if JSON_NUMBER(text):
        return text
    try:
        number = float(text)
    except ValueError:
        return None
    return repr(number) if math.isfinite(number) else None
