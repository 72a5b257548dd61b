"""What an answer is read from holds every reading once, wherever the watermark and the cuts are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.buckets import Bucket, merged
from dashboards.grid import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Grid
from dashboards.spans import Source, Span, finest, source_for, spans_of
from ingest.fields import to_us
from ingest.retention import KeptFrom
from tests.unit.dashboards.test_buckets import Readings, bucket_of, but_sums, in_buckets

# Clocks in Berlin are put, and Lord Howe puts its own by half an hour a week later.
BEGIN_US = to_us(datetime(2026, 3, 27, 22, 58, 59, tzinfo=UTC))
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"]
STEPS_US = [SECOND_US, MINUTE_US, 5 * MINUTE_US, 90 * MINUTE_US, HOUR_US, 7 * HOUR_US]
STEPS_US += [DAY_US, 2 * DAY_US]

moments_us = st.one_of(
    st.integers(0, 9 * 86_400).map(lambda second: BEGIN_US + second * SECOND_US),
    st.integers(0, 9 * 24 * 60).map(lambda minute: BEGIN_US + SECOND_US + minute * MINUTE_US),
    st.integers(0, 9 * DAY_US).map(lambda at_us: BEGIN_US + at_us),
)
readings_lists = st.lists(
    st.tuples(moments_us, st.floats(-1e6, 1e6)),
    unique_by=lambda reading: reading[0],
    max_size=80,
)


class Kept:
    """One series as it is kept: its readings, and rollups of those before the watermark."""

    def __init__(self, readings: Readings, watermark_us: int) -> None:
        self.readings = readings
        self.watermark_us = watermark_us
        sealed = [reading for reading in readings if reading[0] < watermark_us]
        self.rollups = {
            source: in_buckets(sealed, source.unit_us) for source in (Source.MINUTES, Source.HOURS)
        }

    def forget(self, readings_us: int, minutes_us: int) -> None:
        """What is before these horizons is gone by age."""
        self.readings = [reading for reading in self.readings if reading[0] >= readings_us]
        minutes = self.rollups[Source.MINUTES]
        self.rollups[Source.MINUTES] = [each for each in minutes if each.start_us >= minutes_us]

    def read(self, span: Span) -> Iterator[Bucket]:
        run = span.run
        for at_us, value in self.readings:
            if span.source is Source.READINGS and run.from_us <= at_us < run.to_us:
                assert span.recent == (at_us >= self.watermark_us)
                yield self._moved(span, bucket_of(at_us, [(at_us, value)]))
        for rollup in self.rollups.get(span.source, []):
            if run.from_us <= rollup.start_us < run.to_us:
                yield self._moved(span, replace(rollup))

    def _moved(self, span: Span, part: Bucket) -> Bucket:
        part.start_us -= (part.start_us - span.run.origin_us) % span.run.width_us
        return part


@given(
    readings_lists,
    moments_us,
    st.tuples(moments_us, moments_us),
    st.sampled_from(STEPS_US),
    st.sampled_from(ZONES),
)
def test_every_reading_of_the_range_is_read_once(
    readings: Readings, watermark_us: int, ends: tuple[int, int], step_us: int, zone: str
) -> None:
    from_us, to_us = sorted(ends)
    grid, kept = Grid(step_us, ZoneInfo(zone)), Kept(readings, watermark_us)
    spans = list(spans_of(0, 1, grid, from_us, to_us, watermark_us))
    found = merged(part for span in spans for part in kept.read(span))
    inside: dict[int, Readings] = {}
    for at_us, value in sorted(readings):
        if from_us <= at_us < to_us:
            inside.setdefault(grid.floor(at_us), []).append((at_us, value))
    expected = [bucket_of(start_us, own) for start_us, own in inside.items()]
    assert but_sums(found) == but_sums(expected)


@given(
    readings_lists,
    st.lists(moments_us, min_size=3, max_size=3).map(sorted),
    st.tuples(moments_us, moments_us),
    st.sampled_from(STEPS_US),
    st.sampled_from(ZONES),
)
def test_what_is_gone_is_read_once_from_the_rollups_that_are_kept(
    readings: Readings, ages_us: list[int], ends: tuple[int, int], step_us: int, zone: str
) -> None:
    """A minute or an hour whose readings are gone is where it begins."""
    from_us, to_us = sorted(ends)
    minutes_us, readings_us = (age_us - age_us % HOUR_US for age_us in ages_us[:2])
    grid, kept = Grid(step_us, ZoneInfo(zone)), Kept(readings, ages_us[2])
    kept.forget(readings_us, minutes_us)
    horizons = KeptFrom(readings_us, minutes_us)
    spans = list(spans_of(0, 1, grid, from_us, to_us, ages_us[2], horizons))
    found = merged(part for span in spans for part in kept.read(span))
    inside: dict[int, Readings] = {}
    for at_us, value in sorted(readings):
        unit_us = finest(at_us, horizons).unit_us
        begins_us = at_us - at_us % unit_us
        if from_us <= begins_us < to_us:
            inside.setdefault(grid.floor(begins_us), []).append((at_us, value))
    expected = [bucket_of(start_us, own) for start_us, own in inside.items()]
    assert but_sums(found) == but_sums(expected)


def test_a_long_range_is_read_from_hours_but_for_its_cuts() -> None:
    from_us, to_us = BEGIN_US, BEGIN_US + 9 * DAY_US + 7
    spans = list(spans_of(0, 1, Grid(HOUR_US, UTC), from_us, to_us, to_us + DAY_US))
    assert [(span.source, (span.run.to_us - span.run.from_us) / SECOND_US) for span in spans] == [
        (Source.READINGS, 1),
        (Source.MINUTES, 60),
        (Source.HOURS, (9 * 24 - 1) * 3600),
        (Source.MINUTES, 58 * 60),
        (Source.READINGS, 59 + 7e-6),
    ]


def test_after_the_watermark_there_are_recent_readings_alone() -> None:
    spans = list(spans_of(0, 1, Grid(HOUR_US, UTC), BEGIN_US, BEGIN_US + DAY_US, BEGIN_US - 1))
    assert [(span.source, span.recent) for span in spans] == [(Source.READINGS, True)]


@pytest.mark.parametrize(
    ("step_us", "source"),
    [
        (10 * SECOND_US, Source.READINGS),
        (30 * MINUTE_US, Source.MINUTES),
        (2 * HOUR_US, Source.HOURS),
        (7 * DAY_US, Source.HOURS),
    ],
)
def test_buckets_are_made_of_the_coarsest_form_that_fits(step_us: int, source: Source) -> None:
    assert source_for(step_us) is source
