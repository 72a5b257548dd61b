"""A frame as a test says it: texts in; what is stored and what is refused, as plain tuples, out."""

from __future__ import annotations

import json
from typing import Any

from ingest import wire
from ingest.reading import Bounds, Frame, Refusal

NOW_MS = 1_795_326_596_347
NOW_US = NOW_MS * 1_000
FUTURE_MS = 600_000

Stored = tuple[str, int, int, Any]  # metric, kind, time in µs, value
Refused = tuple[str, int | None, str | None, int]  # code, sample, metric, count


def decoded(message: object, **limits: int) -> Frame:
    """The frame in `message`: JSON text, or what is to become it. `limits` are those of Bounds."""
    text = message if isinstance(message, str) else json.dumps(message)
    bounds = Bounds(NOW_US + FUTURE_MS * 1_000, **limits)
    frame = wire.decode(wire.parse(text), NOW_US, bounds)
    assert adds_up(frame)
    return frame


def adds_up(frame: Frame) -> bool:
    """Each reading is to be stored or is refused, and none is both."""
    for run in frame.runs:
        assert len(run.times_us) == len(run.values) == len(run.samples)
    stored = sum(len(run.values) for run in frame.runs)
    return frame.readings == stored + sum(refusal.count for refusal in frame.refusals)


def stored(message: object) -> list[Stored]:
    """What of `message` is stored, where nothing of it is refused."""
    frame = decoded(message)
    assert frame.refusals == []
    return taken(frame)


def taken(frame: Frame) -> list[Stored]:
    return [
        (run.metric, run.kind, at_us, value)
        for run in frame.runs
        for at_us, value in zip(run.times_us, run.values, strict=True)
    ]


def refused(message: object, **bounds: int) -> list[Refused]:
    """What of `message` is refused, where nothing of it is stored."""
    frame = decoded(message, **bounds)
    assert frame.runs == []
    return named(frame.refusals)


def named(refusals: list[Refusal]) -> list[Refused]:
    return [(r.code.value, r.sample, r.metric, r.count) for r in refusals]


def sample(value: object, ts: object = NOW_MS, metric: str = "t") -> dict[str, Any]:
    """A frame of one reading."""
    return {"ts": ts, "values": {metric: value}}
