"""Simulated readings as frame text, encoded ahead: at run time a frame is one bytes formatting.

An `Encoder` is shared by many devices; a `SampleClock` belongs to one. Neither knows numbering or
connections: what they make is the frame's text after its `seq`, see `device.Device.add`.
"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple

import orjson

from simulators.waveforms import Metric, Value

Form = Literal["samples", "columns"]

CYCLE_SAMPLES = 1440
"""Samples in one cycle of a waveform, roughly: it is rounded to whole frames."""


class SampleTimes(NamedTuple):
    """When the samples of a frame were taken: `samples` times from `first_us`, `step_us` apart."""

    first_us: int
    step_us: int
    samples: int


class SampleClock:
    """Gives each frame of a device sample times that rise and never repeat.

    Whole milliseconds where the time since the last frame allows it, as real devices send;
    microseconds where it does not. With `step_us` the samples are always that far apart, even
    if that leads a device that sends faster than time passes into the future.
    """

    def __init__(self, start_us: int, step_us: int | None = None) -> None:
        self._last_us = start_us
        self._step_us = step_us

    def take(self, until_us: int, count: int) -> SampleTimes:
        """Times for `count` samples after the last ones given out, the newest at `until_us`."""
        if self._step_us is not None:
            times = SampleTimes(self._last_us + self._step_us, self._step_us, count)
        else:
            times = self._fit(until_us, count)
        self._last_us = times.first_us + (count - 1) * times.step_us
        return times

    def _fit(self, until_us: int, count: int) -> SampleTimes:
        until_ms, after_ms = until_us // 1000, -(-self._last_us // 1000)
        step_ms = (until_ms - after_ms) // count
        if step_ms >= 1:
            return SampleTimes((until_ms - (count - 1) * step_ms) * 1000, step_ms * 1000, count)
        step_us = max(1, (until_us - self._last_us) // count)
        return SampleTimes(self._last_us + step_us, step_us, count)


class Encoder:
    """One family of devices: the same metrics, samples a frame and form, with its own values."""

    def __init__(self, metrics: list[Metric], samples: int, form: Form, rng: Random) -> None:
        self.samples = samples
        self.readings = samples * len(metrics)
        self.frames = max(4, round(CYCLE_SAMPLES / samples))
        cycle = samples * self.frames
        table = {metric.name: metric.waveform(rng, cycle) for metric in metrics}
        self._form = form
        self._values = _sample_texts(table, cycle) if form == "samples" else []
        self._columns = _column_texts(table, samples, self.frames) if form == "columns" else []

    def text(self, number: int, times: SampleTimes) -> bytes:
        """The text of a device's frame, from after its `seq` to the closing brace."""
        turn = number % self.frames
        if self._form == "columns":
            return b'"columns":{"ts":%b,%b}}' % (_times_text(times), self._columns[turn])
        if self.samples == 1 and not times.first_us % 1000:
            return b'"readings":[{"ts":%d,"values":%b}]}' % (
                times.first_us // 1000,
                self._values[turn],
            )
        start = turn * self.samples
        return b'"readings":[%b]}' % b",".join(
            [
                b'{"ts":%b,"values":%b}' % (time, values)
                for time, values in zip(
                    _times_text(times)[1:-1].split(b","),
                    self._values[start : start + self.samples],
                    strict=True,
                )
            ]
        )


def _sample_texts(table: dict[str, list[Value]], cycle: int) -> list[bytes]:
    return [orjson.dumps({name: values[i] for name, values in table.items()}) for i in range(cycle)]


def _column_texts(table: dict[str, list[Value]], samples: int, frames: int) -> list[bytes]:
    return [
        orjson.dumps(
            {name: values[i * samples : (i + 1) * samples] for name, values in table.items()}
        )[1:-1]
        for i in range(frames)
    ]


def _times_text(times: SampleTimes) -> bytes:
    """A JSON list of milliseconds: whole where they are whole, else to the microsecond."""
    first_us, step_us, count = times
    if first_us % 1000 or step_us % 1000:
        return orjson.dumps([(first_us + i * step_us) / 1000 for i in range(count)])
    first_ms, step_ms = first_us // 1000, step_us // 1000
    return orjson.dumps(list(range(first_ms, first_ms + count * step_ms, step_ms)))
