"""Decodes the samples form: one time each, with the readings taken at it.

The shortest path through Python for a reading that fits; the others are refused by name.
"""

from __future__ import annotations

from typing import Any

from ingest.reading import (
    METRIC_MAX_CHARACTERS,
    NUMBER,
    NUMBER_MAX,
    SECONDS_BELOW,
    Bounds,
    Code,
    Frame,
    Refusal,
    Run,
    is_metric,
    kind_of,
    refused_whole,
    shown,
    time_us,
    too_many,
)

# By metric; a metric whose kind changes within the frame has a run for each further kind.
Runs = dict[str | tuple[str, int], Run]


def decode_samples(samples: Any, now_us: int, bounds: Bounds) -> Frame:
    """The frame in an array of samples; one of them may go without its time, and gets `now_us`."""
    if not isinstance(samples, list):
        return refused_whole(Code.BAD_FRAME, "readings must be an array of samples", samples)
    frame = Frame()
    refusals = frame.refusals
    earliest_ms = max(SECONDS_BELOW, -(-bounds.earliest_us // 1_000))
    latest_ms = bounds.latest_us // 1_000
    text_characters = bounds.text_characters
    runs: Runs = {}
    readings = 0
    timeless = False
    for index, sample in enumerate(samples):
        values = sample.get("values") if sample.__class__ is dict else None
        if values.__class__ is not dict:
            if sample is None or (
                values is None and sample.__class__ is dict and "values" in sample
            ):
                continue
            readings += 1
            refusals.append(Refusal(Code.BAD_SAMPLE, index, value=shown(sample)))
            continue
        ts = sample.get("ts")
        if ts.__class__ is int and earliest_ms <= ts <= latest_ms:
            at_us = ts * 1_000
        elif ts.__class__ is float and earliest_ms <= ts <= latest_ms:
            at_us = round(ts * 1_000)
        else:
            time, timeless = time_of(ts, timeless, now_us, bounds)
            if isinstance(time, Code):
                count = sum(value is not None for value in values.values())
                readings += count
                if count:
                    refusals.append(Refusal(time, index, count=count, value=shown(ts)))
                continue
            at_us = time
        for metric, value in values.items():
            run = runs.get(metric)
            kind: int | Code
            if value.__class__ is float and -NUMBER_MAX <= value <= NUMBER_MAX:
                kind = NUMBER
            elif value is None:
                continue
            else:
                kind = kind_of(value, text_characters)
            readings += 1
            if run is None or run.kind != kind:
                run = run_for(runs, metric, kind, index, value, refusals, bounds)
                if run is None:
                    continue
            run.times_us.append(at_us)
            run.values.append(value)
            run.samples.append(index)  # type: ignore[attr-defined]
    if readings > bounds.readings:
        return too_many(readings, bounds)
    frame.runs = list(runs.values())
    frame.readings = readings
    return frame


def run_for(
    runs: Runs,
    metric: str,
    kind: int | Code,
    sample: int,
    value: object,
    refusals: list[Refusal],
    bounds: Bounds,
) -> Run | None:
    """The run that takes a reading of `metric`, begun if need be; None where it is refused."""
    if metric not in runs and not is_metric(metric, bounds.metric_characters):
        name, reason = shown(metric, METRIC_MAX_CHARACTERS), bounds.reason(Code.BAD_METRIC)
        refusals.append(Refusal(Code.BAD_METRIC, sample, name, value=shown(value), message=reason))
        return None
    if isinstance(kind, Code):
        reason = bounds.reason(kind)
        refusals.append(Refusal(kind, sample, metric, value=shown(value), message=reason))
        return None
    key = metric if metric not in runs or runs[metric].kind == kind else (metric, kind)
    run = runs.get(key)
    if run is None:
        run = runs[key] = Run(metric, kind, [], [], [])
    return run


def time_of(ts: object, timeless: bool, now_us: int, bounds: Bounds) -> tuple[int | Code, bool]:
    """The time of a sample, and whether the one sample that may go without has been seen."""
    if ts is not None:
        return time_us(ts, bounds), timeless
    if timeless:
        return Code.TS_MISSING, True
    return (now_us if now_us >= bounds.earliest_us else Code.TOO_OLD), True
