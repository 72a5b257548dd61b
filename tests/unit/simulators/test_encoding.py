"""Frames encoded ahead: valid, distinct in time, the same for the same seed."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import orjson
import pytest

from simulators.encoding import Encoder, Form, SampleClock, SampleTimes
from simulators.waveforms import CATALOGUE, metrics

NOW_US = 1_795_326_596_347_250


def all_times(times: SampleTimes) -> list[int]:
    return [times.first_us + i * times.step_us for i in range(times.samples)]


@pytest.mark.parametrize("interval_us", [1_000_000, 100_000, 33_333, 1_001, 40, 1, 0])
@pytest.mark.parametrize("samples", [1, 34, 333])
def test_sample_times_rise_and_never_repeat(interval_us: int, samples: int) -> None:
    clock = SampleClock(NOW_US - interval_us)
    given = [
        time for i in range(50) for time in all_times(clock.take(NOW_US + i * interval_us, samples))
    ]
    assert all(later > earlier for earlier, later in pairwise(given))


@pytest.mark.parametrize("interval_us", [1_000_000, 100_000, 33_333])
def test_samples_are_never_newer_than_their_frame(interval_us: int) -> None:
    clock = SampleClock(NOW_US - interval_us)
    for i in range(20):
        until_us = NOW_US + i * interval_us
        assert all_times(clock.take(until_us, 10))[-1] <= until_us


def test_times_are_whole_milliseconds_where_there_is_room() -> None:
    times = SampleClock(NOW_US - 1_000_000).take(NOW_US, 34)
    assert all(time % 1000 == 0 for time in all_times(times))


def test_a_fixed_step_is_kept() -> None:
    clock = SampleClock(1_000_000, step_us=1_000)
    given = all_times(clock.take(0, 2)) + all_times(clock.take(0, 2))
    assert given == [1_001_000, 1_002_000, 1_003_000, 1_004_000]


@pytest.mark.parametrize("form", ["samples", "columns"])
@pytest.mark.parametrize("samples", [1, 7, 333, 2000])
def test_a_frame_is_json_with_all_its_readings(form: Form, samples: int) -> None:
    encoder = Encoder(metrics(3), samples, form, Random(7))
    frame = orjson.loads(b"{" + encoder.text(10**6, SampleTimes(NOW_US, 1_250, samples)))
    if form == "columns":
        assert list(frame["columns"]) == ["ts", "temperature", "humidity", "co2"]
        assert {len(column) for column in frame["columns"].values()} == {samples}
    else:
        assert len(frame["readings"]) == samples
        assert {len(sample["values"]) for sample in frame["readings"]} == {3}
    assert encoder.readings == 3 * samples


def test_both_forms_say_the_same() -> None:
    times = SampleTimes(NOW_US, 1_250, 5)
    samples, columns = (
        orjson.loads(b"{" + Encoder(metrics(2), 5, form, Random(7)).text(3, times))
        for form in ("samples", "columns")
    )
    table = columns["columns"]
    assert [sample["ts"] for sample in samples["readings"]] == table["ts"]
    assert [s["values"]["humidity"] for s in samples["readings"]] == table["humidity"]


def test_microseconds_survive_the_wire() -> None:
    encoder = Encoder(metrics(1), 2, "columns", Random(7))
    frame = orjson.loads(b"{" + encoder.text(0, SampleTimes(NOW_US, 1, 2)))
    assert [round(ts * 1000) for ts in frame["columns"]["ts"]] == [NOW_US, NOW_US + 1]


def test_a_seed_decides_the_values() -> None:
    times = SampleTimes(NOW_US, 1_000, 3)
    one, same, other = (
        Encoder(metrics(8), 3, "samples", Random(seed)).text(5, times) for seed in (7, 7, 8)
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("metric", CATALOGUE, ids=lambda metric: metric.name)
def test_a_cycle_of_a_waveform_moves(metric: object) -> None:
    assert metric in CATALOGUE
    name, waveform = metric
    values = waveform(Random(7), 1440)
    assert len(values) == 1440
    assert len(set(values)) > 1, name


def test_metrics_beyond_the_catalogue_have_names_of_their_own() -> None:
    names = [metric.name for metric in metrics(20)]
    assert len(set(names)) == 20
    assert "temperature_2" in names


def test_the_state_metric_comes_only_when_asked_for() -> None:
    assert "state" not in [metric.name for metric in metrics(20)]
    assert [metric.name for metric in metrics(2, with_state=True)] == ["temperature", "state"]
