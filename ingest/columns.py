"""Decodes the columns form: an array of times, and an array of values for each metric.

A column is checked whole, by C loops over its types, least and greatest, and goes to the writer
as it came; only one that does not fit is looked at value by value.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.reading import (
    BOOLEAN,
    INTEGER_MAX,
    NUMBER,
    NUMBER_MAX,
    SECONDS_BELOW,
    TEXT,
    Bounds,
    Code,
    Frame,
    Refusal,
    Run,
    is_metric,
    is_storable,
    kind_of,
    refused_whole,
    shown,
    too_many,
)
from ingest.samples import Runs, run_for, time_of

REFUSED_US: Final = -(2**63)  # stands for a time that was refused; earlier than any that is taken
_NUMBERS: Final = frozenset((float, int))


def decode_columns(columns: Any, now_us: int, bounds: Bounds) -> Frame:
    """The frame in an object of equally long arrays; without a `ts` column, of one sample."""
    if isinstance(columns, dict) and None in columns.values():
        columns = {metric: column for metric, column in columns.items() if column is not None}
    if not isinstance(columns, dict) or not all(isinstance(c, list) for c in columns.values()):
        return refused_whole(Code.BAD_FRAME, "columns must be an object of arrays", columns)
    if len(set(map(len, columns.values()))) > 1:
        reason = "the columns must all be of one length"
        return refused_whole(Code.BAD_FRAME, reason, columns, _readings(columns))
    frame = Frame()
    times = columns.get("ts")
    length = len(next(iter(columns.values()), ()))
    metrics = {metric: column for metric, column in columns.items() if metric != "ts"}
    if length * len(metrics) > bounds.readings and _readings(metrics) > bounds.readings:
        return too_many(_readings(metrics), bounds)
    times_us = _whole_times(times, bounds) if times is not None else None
    if times_us is None:
        times_us, metrics = _time_one_by_one(times, metrics, length, now_us, bounds, frame)
    samples = range(length)
    for metric, column in metrics.items():
        is_named = is_metric(metric, bounds.metric_characters)
        kind = _whole_kind(column, bounds.text_characters) if is_named else None
        if kind is not None:
            frame.readings += length
            frame.runs.append(Run(metric, kind, times_us, column, samples))
        else:
            _take_one_by_one(metric, column, times_us, frame, bounds)
    return frame


def _readings(columns: dict[str, list[Any]]) -> int:
    return sum(
        value is not None
        for metric, column in columns.items()
        if metric != "ts"
        for value in column
    )


def _whole_times(times: list[Any], bounds: Bounds) -> list[int] | None:
    """The times of a column, if all of it are plain milliseconds in bounds."""
    kinds = set(map(type, times))
    if not kinds or not kinds <= _NUMBERS:
        return None
    earliest, latest = min(times), max(times)
    if not (earliest >= SECONDS_BELOW and latest * 1_000 <= bounds.latest_us):
        return None
    if earliest * 1_000 < bounds.earliest_us:
        return None
    if kinds == {int}:
        return [ts * 1_000 for ts in times]
    return [round(ts * 1_000) for ts in times] if sum(times) == sum(times) else None  # not NaN


def _whole_kind(column: list[Any], text_characters: int) -> int | None:
    """The kind of a column, if all of it can be stored and is of one kind."""
    kinds = set(map(type, column))
    if kinds and kinds <= _NUMBERS:
        largest = INTEGER_MAX if int in kinds else NUMBER_MAX
        # NaN hides from min and max, not from the sum; which is safe only of numbers in range.
        fits = -largest <= min(column) and max(column) <= largest
        return NUMBER if fits and (total := sum(column)) == total else None
    if kinds == {bool}:
        return BOOLEAN
    if kinds == {str} and max(map(len, column)) <= text_characters and is_storable("".join(column)):
        return TEXT
    return None


def _time_one_by_one(
    times: list[Any] | None,
    metrics: dict[str, list[Any]],
    length: int,
    now_us: int,
    bounds: Bounds,
    frame: Frame,
) -> tuple[list[int], dict[str, list[Any]]]:
    """The times of the columns' samples; the readings of a sample without one become null."""
    times_us: list[int] = []
    timeless = False
    for index, ts in enumerate(times if times is not None else [None] * length):
        at_us, timeless = time_of(ts, timeless, now_us, bounds)
        if isinstance(at_us, Code):
            count = sum(column[index] is not None for column in metrics.values())
            frame.readings += count
            if count:
                frame.refusals.append(Refusal(at_us, index, count=count, value=shown(ts)))
            times_us.append(REFUSED_US)
        else:
            times_us.append(at_us)
    if REFUSED_US in times_us:
        metrics = {
            metric: [
                None if at_us == REFUSED_US else value
                for at_us, value in zip(times_us, column, strict=True)
            ]
            for metric, column in metrics.items()
        }
    return times_us, metrics


def _take_one_by_one(
    metric: str, column: list[Any], times_us: list[int], frame: Frame, bounds: Bounds
) -> None:
    runs: Runs = {}
    for index, value in enumerate(column):
        if value is None:
            continue
        frame.readings += 1
        kind = kind_of(value, bounds.text_characters)
        run = run_for(runs, metric, kind, index, value, frame.refusals, bounds)
        if run is not None:
            run.times_us.append(times_us[index])
            run.values.append(value)
            run.samples.append(index)  # type: ignore[attr-defined]
    frame.runs.extend(runs.values())
